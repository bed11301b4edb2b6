//! Which crate may use which: the crate graph of `ARCHITECTURE.md` as a table.
//!
//! Only normal and build dependencies count; tests may use what they need.

use super::Violation;
use crate::repository::Package;

/// A row of the table.
struct Crate {
    name: &'static str,
    /// Below `lwm2m-net`: no sockets, clocks, threads or async runtime.
    sans_io: bool,
    /// Builds with `--no-default-features`.
    no_std: bool,
    /// Groups of the workspace crates that it may use, besides those in [`FOR_ALL`].
    may_use: &'static [&'static [&'static str]],
}

/// Every crate may use these.
const FOR_ALL: &[&str] = &["lwm2m-time"];

/// Crates for sockets and async runtimes: not below `lwm2m-net`.
const IO_CRATES: &[&str] = &["tokio", "mio", "socket2", "async-std", "smol"];

// Groups of crates, for the rows.
const DATA: &[&str] = &["lwm2m-codec", "lwm2m-core", "lwm2m-objects"];
const SINGLE_CODECS: &[&str] = &["lwm2m-senml", "lwm2m-tlv"];
const PER_PEER: &[&str] = &["lwm2m-coap", "lwm2m-dtls", "lwm2m-link"];
const CREDENTIALS: &[&str] = &["lwm2m-credentials"];
const ENGINES: &[&str] = &["lwm2m-client", "lwm2m-server"];
const BOOTSTRAP: &[&str] = &["lwm2m-bootstrap"];
const NET: &[&str] = &["lwm2m-net", "lwm2m-store"];
const SERVICE: &[&str] = &["lwm2m-http", "lwm2m-net", "lwm2m-store"];
const PROGRAMS: &[&str] = &["lwm2m", "lwm2m-app"];

const CLIENT_ENGINE: &[&[&str]] = &[DATA, PER_PEER, &["lwm2m-derive"]];
const SERVER_ENGINE: &[&[&str]] = &[DATA, PER_PEER, CREDENTIALS];
const FACADE: &[&[&str]] = &[DATA, SINGLE_CODECS, PER_PEER, ENGINES, BOOTSTRAP, SERVICE];
const BINARY: &[&[&str]] =
    &[DATA, SINGLE_CODECS, PER_PEER, CREDENTIALS, ENGINES, BOOTSTRAP, SERVICE, PROGRAMS];
/// The command runs both daemons in its own process.
const COMMAND: &[&[&str]] = &[
    DATA,
    ENGINES,
    SERVICE,
    &["lwm2m-app", "lwm2m-clientd", "lwm2m-coap", "lwm2m-dtls", "lwm2m-serverd"],
];

const CRATES: &[Crate] = &[
    Crate { name: "lwm2m-time", sans_io: true, no_std: true, may_use: &[] },
    Crate { name: "lwm2m-core", sans_io: true, no_std: true, may_use: &[] },
    Crate { name: "lwm2m-tlv", sans_io: true, no_std: true, may_use: &[] },
    Crate { name: "lwm2m-senml", sans_io: true, no_std: true, may_use: &[] },
    Crate { name: "lwm2m-objects", sans_io: true, no_std: true, may_use: &[&["lwm2m-core"]] },
    Crate {
        name: "lwm2m-codec",
        sans_io: true,
        no_std: true,
        may_use: &[&["lwm2m-core", "lwm2m-objects", "lwm2m-senml", "lwm2m-tlv"]],
    },
    Crate { name: "lwm2m-coap", sans_io: true, no_std: true, may_use: &[] },
    Crate { name: "lwm2m-mbedtls", sans_io: true, no_std: false, may_use: &[] },
    Crate { name: "lwm2m-dtls", sans_io: true, no_std: true, may_use: &[&["lwm2m-mbedtls"]] },
    Crate {
        name: "lwm2m-link",
        sans_io: true,
        no_std: true,
        may_use: &[&["lwm2m-coap", "lwm2m-dtls"]],
    },
    Crate { name: "lwm2m-credentials", sans_io: true, no_std: false, may_use: &[&["lwm2m-dtls"]] },
    Crate {
        name: "lwm2m-derive",
        sans_io: true,
        no_std: false,
        may_use: &[&["lwm2m-core", "lwm2m-objects"]],
    },
    Crate { name: "lwm2m-client", sans_io: true, no_std: true, may_use: CLIENT_ENGINE },
    Crate { name: "lwm2m-bootstrap", sans_io: true, no_std: false, may_use: SERVER_ENGINE },
    Crate { name: "lwm2m-server", sans_io: true, no_std: false, may_use: SERVER_ENGINE },
    Crate { name: "lwm2m-store", sans_io: false, no_std: false, may_use: &[&["lwm2m-link"]] },
    Crate {
        name: "lwm2m-net",
        sans_io: false,
        no_std: false,
        may_use: &[DATA, PER_PEER, ENGINES, &["lwm2m-store"]],
    },
    Crate {
        name: "lwm2m-http",
        sans_io: false,
        no_std: false,
        may_use: &[DATA, PER_PEER, CREDENTIALS, NET, BOOTSTRAP, &["lwm2m-server"]],
    },
    Crate { name: "lwm2m", sans_io: false, no_std: false, may_use: FACADE },
    Crate {
        name: "lwm2m-app",
        sans_io: false,
        no_std: false,
        may_use: &[&["lwm2m-dtls", "lwm2m-link", "lwm2m-store"]],
    },
    Crate { name: "lwm2m-testkit", sans_io: false, no_std: false, may_use: BINARY },
    Crate { name: "lwm2m-serverd", sans_io: false, no_std: false, may_use: BINARY },
    Crate { name: "lwm2m-clientd", sans_io: false, no_std: false, may_use: BINARY },
    Crate { name: "lwm2m-cli", sans_io: false, no_std: false, may_use: COMMAND },
    Crate { name: "lwm2m-benches", sans_io: false, no_std: false, may_use: BINARY },
    Crate { name: "xtask", sans_io: false, no_std: false, may_use: &[] },
];

/// The crates that must build without `std`.
pub(crate) fn no_std_crates() -> impl Iterator<Item = &'static str> {
    CRATES.iter().filter(|row| row.no_std).map(|row| row.name)
}

/// Whether the crate is one below `lwm2m-net`.
pub(super) fn is_sans_io(name: &str) -> bool {
    CRATES.iter().any(|row| row.name == name && row.sans_io)
}

pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        let Some(row) = CRATES.iter().find(|row| row.name == package.name) else {
            violations.push(violation(package, "has no row in the table of crate edges"));
            continue;
        };
        for used in &package.dependencies {
            if let Some(problem) = forbidden(row, used, packages) {
                violations.push(violation(package, &problem));
            }
        }
    }
    violations.extend(rows_without_package(packages));
    violations
}

fn forbidden(row: &Crate, used: &str, packages: &[Package]) -> Option<String> {
    let ours = packages.iter().any(|package| package.name == used);
    if ours && !row.may_use.iter().any(|group| group.contains(&used)) && !FOR_ALL.contains(&used) {
        return Some(format!("may not use {used}: the crate graph has no such edge"));
    }
    (row.sans_io && IO_CRATES.contains(&used))
        .then(|| format!("is below lwm2m-net and may not use {used}"))
}

fn rows_without_package(packages: &[Package]) -> impl Iterator<Item = Violation> {
    let gone = |row: &&Crate| !packages.iter().any(|package| package.name == row.name);
    CRATES.iter().filter(gone).map(|row| {
        let message = format!("{} is in the table of crate edges but is no crate", row.name);
        Violation::new("xtask/src/tidy/edges.rs", 0, message)
    })
}

fn violation(package: &Package, problem: &str) -> Violation {
    Violation::new("Cargo.toml", 0, format!("{} {problem}", package.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependencies = dependencies.iter().map(|&name| name.to_owned()).collect();
        Package {
            name: name.to_owned(),
            dependencies,
            features: Default::default(),
            published: false,
            described: false,
        }
    }

    /// What is wrong when one crate has these dependencies and all others have none.
    fn check_one(name: &str, dependencies: &[&str]) -> Vec<Violation> {
        let mut packages: Vec<_> = CRATES.iter().map(|row| package(row.name, &[])).collect();
        packages.retain(|other| other.name != name);
        packages.push(package(name, dependencies));
        check(&packages)
    }

    #[test]
    fn the_graph_allows_its_edges_only() {
        assert_eq!(check_one("lwm2m-link", &["lwm2m-coap", "lwm2m-time", "bytes"]), []);
        assert_eq!(check_one("lwm2m-coap", &["lwm2m-core"]).len(), 1);
        assert_eq!(check_one("lwm2m-client", &["lwm2m-net", "lwm2m-server"]).len(), 2);
        assert_eq!(check_one("lwm2m-net", &["lwm2m-testkit"]).len(), 1);
    }

    #[test]
    fn no_runtime_below_net() {
        assert_eq!(check_one("lwm2m-server", &["tokio"]).len(), 1);
        assert_eq!(check_one("lwm2m-net", &["tokio"]), []);
    }

    #[test]
    fn table_and_workspace_have_the_same_crates() {
        assert_eq!(check_one("lwm2m-new", &[]).len(), 1);
        assert_eq!(check(&[]).len(), CRATES.len());
    }
}
