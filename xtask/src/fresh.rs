//! `cargo xtask fresh`: the commands of the README on a bare Debian, which has the Rust toolchain of
//! this machine, gcc and git, and nothing else that a check may need.
//!
//! The bare system is made once, by `debootstrap` from the mirror that apt of this machine uses, and
//! kept below `target/fresh`. The repository is cloned into it anew each time, at the latest commit;
//! what cargo downloads is shared with this machine. The mounts belong to a namespace of their own,
//! so that they end with the run.

use crate::Outcome;
use crate::process::{command, output, run as run_command, succeeds};
use crate::tools::{Tool, sysroot};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const SUITE: &str = "bookworm";
/// What the README asks for beside Rust: a C compiler, and git to clone with.
const PACKAGES: &str = "--include=ca-certificates,gcc,git,libc6-dev";
const DEBOOTSTRAP: Tool = Tool::Program("debootstrap", "apt-get install debootstrap");
const UNSHARE: Tool = Tool::Program("unshare", "apt-get install util-linux");

/// The steps of `ci` that compile little, and those that skip by name what the bare system lacks.
const WITHOUT_COMPILING: &str =
    "--only fmt --only tidy --only coverage --only mbedtls --only deny --only fuzz";

/// Mounts what the root shares with this machine, and runs a script in it. Arguments: the root, the
/// toolchain, the home of cargo, the script.
const ENTER: &str = r#"
set -eu
mount --bind "$2" "$1/opt/rust"
mount --bind "$3/registry" "$1/opt/cargo/registry"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
exec chroot "$1" /usr/bin/env -i HOME=/root TERM=dumb CARGO_HOME=/opt/cargo \
    PATH=/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -euc "$4"
"#;

/// Runs the README's commands; a named skip where this machine cannot make the bare system.
pub(crate) fn run(root: &Path, full: bool) -> Outcome {
    if let Some(missing) = missing(root)? {
        println!("skipped: fresh: {missing}");
        return Ok(());
    }
    let bare = root.join("target/fresh/debian");
    if let Err(error) = make_bare(root, &bare) {
        println!("skipped: fresh: the bare system cannot be made: {error}");
        return Ok(());
    }
    prepare(root, &bare)?;
    let toolchain = sysroot(root).ok_or("rustc does not tell where it is")?;
    let cargo_home = cargo_home()?;
    fs::create_dir_all(cargo_home.join("registry"))?;
    let script = script(full);
    let mut enter = command(root, "unshare", &["--mount", "sh", "-c", ENTER, "fresh"]);
    run_command(enter.arg(&bare).arg(toolchain).arg(cargo_home).arg(script))
}

/// What this machine lacks, and how to get it.
fn missing(root: &Path) -> Outcome<Option<String>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(Some("it needs root; run it as root".to_owned()));
    }
    if output(&mut command(root, "unshare", &["--mount", "true"])).is_err() {
        return Ok(Some(
            "it needs mounts of its own, which this machine does not allow".to_owned(),
        ));
    }
    let missing = [DEBOOTSTRAP, UNSHARE].into_iter().find(|tool| !tool.is_there(root));
    if missing.is_none() && !succeeds(&mut command(root, "unshare", &["--mount", "true"])) {
        return Ok(Some(
            "it needs mounts of its own, which this machine does not allow".to_owned(),
        ));
    }
    Ok(missing.map(|tool| format!("{} is missing; get it with: {}", tool.name(), tool.get())))
}

/// The commands of the README. Lints and tests compile the workspace twice more, with the compiler
/// and the libraries of this machine, where `ci` runs them anyway: they are part of the full run.
fn script(full: bool) -> String {
    let checks = if full { "" } else { WITHOUT_COMPILING };
    format!(
        "cd /root/lwm2m\n\
         cargo run --bin lwm2m -- demo --once\n\
         cargo xtask ci {checks}\n"
    )
}

/// Makes the bare system, unless an earlier run did.
fn make_bare(root: &Path, bare: &Path) -> Outcome {
    let done = bare.with_extension("done");
    if done.is_file() {
        return Ok(());
    }
    if bare.exists() {
        fs::remove_dir_all(bare)?;
    }
    fs::create_dir_all(bare)?;
    let sources = apt_sources()?;
    let mirror = mirror(&sources).ok_or("the sources of apt name no mirror of Debian")?;
    let mut make = command(root, "debootstrap", &["--variant=minbase", PACKAGES, SUITE]);
    run_command(make.arg(bare).arg(mirror))?;
    Ok(fs::write(done, "")?)
}

/// Gives the bare system a clone of the repository, and what it needs to reach the registry.
fn prepare(root: &Path, bare: &Path) -> Outcome {
    for folder in ["opt/rust", "opt/cargo/registry"] {
        fs::create_dir_all(bare.join(folder))?;
    }
    for file in ["/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"] {
        if Path::new(file).is_file() {
            fs::copy(file, bare.join(&file[1..]))?;
        }
    }
    let config = cargo_home()?.join("config.toml");
    if config.is_file() {
        fs::copy(config, bare.join("opt/cargo/config.toml"))?;
    }
    let clone = bare.join("root/lwm2m");
    if clone.exists() {
        fs::remove_dir_all(&clone)?;
    }
    let from = output(&mut command(root, "git", &["rev-parse", "--show-toplevel"]))?;
    let mut clone_it = command(root, "git", &["clone", "--quiet", "--no-hardlinks", from.trim()]);
    run_command(clone_it.arg(clone))
}

fn cargo_home() -> Outcome<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().ok_or("there is no home directory")?;
    Ok(home.join(".cargo"))
}

/// The files that tell apt of this machine where Debian is.
fn apt_sources() -> Outcome<String> {
    let mut text = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    let Ok(folder) = fs::read_dir("/etc/apt/sources.list.d") else { return Ok(text) };
    for entry in folder {
        let path = entry?.path();
        let extension = path.extension().unwrap_or_default();
        if extension == "list" || extension == "sources" {
            text.push('\n');
            text.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(text)
}

/// The first archive of Debian itself: in lines of `deb`, or in stanzas with `URIs:`.
fn mirror(sources: &str) -> Option<&str> {
    let uris = sources.lines().flat_map(|line| {
        let line = line.trim();
        let listed = line.strip_prefix("URIs:").or_else(|| line.strip_prefix("deb "));
        listed.unwrap_or_default().split_whitespace()
    });
    let mut uris = uris.filter(|word| word.contains("://"));
    uris.find(|uri| uri.trim_end_matches('/').ends_with("/debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_there_are_steps_of_ci() {
        let steps = WITHOUT_COMPILING.split_whitespace().filter(|word| *word != "--only");
        for step in steps {
            assert!(crate::ci::step_list().contains(&format!("  {step} ")), "{step}");
        }
        assert!(script(false).contains(WITHOUT_COMPILING) && !script(true).contains("--only"));
    }

    #[test]
    fn the_mirror_is_read_from_both_forms_of_sources() {
        let stanza = "Types: deb\n# URIs: http://old.example/debian\nURIs: http://a.example/debian\n\
            Suites: bookworm\n";
        assert_eq!(mirror(stanza), Some("http://a.example/debian"));
        let lines = "deb http://b.example/debian-security bookworm-security main\n\
            deb [signed-by=/k] http://b.example/debian/ bookworm main\n";
        assert_eq!(mirror(lines), Some("http://b.example/debian/"));
        assert_eq!(mirror("# deb http://c.example/debian bookworm main\n"), None);
    }
}
