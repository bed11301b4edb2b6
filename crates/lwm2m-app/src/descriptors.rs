//! File descriptors: each connection takes one, and the system bounds their number.

/// What the program itself needs: sockets, files, the log, the runtime.
const OWN: usize = 64;
/// What is assumed of a system that does not tell.
#[cfg(not(unix))]
const UNKNOWN: usize = 1_024;

/// How many connections a server may have of each kind, so that one kind never takes the descriptors
/// of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// Connections of the HTTP API.
    pub http: usize,
    /// Accepted connections of devices, those included that are closing.
    pub accepted: usize,
    /// Connections that the engine may have open.
    pub open: usize,
}

impl Descriptors {
    /// Raises the soft limit of the process as far as these numbers of connections need it and the
    /// hard limit allows, and shares it out. Logs a warning if it is not enough.
    #[must_use]
    pub fn raise(http: usize, open: usize) -> Self {
        // A tenth more for connections that are closing.
        let accepted = open.saturating_add(open / 10);
        let wanted = OWN.saturating_add(http).saturating_add(accepted);
        let limit = raise_to(wanted);
        let shared = Self::share(limit, Self { http, accepted, open });
        if shared.open < open {
            tracing::warn!(
                "the system allows {limit} open files, which is enough for {} connections of devices \
                 and {} of the API; raise the limit (ulimit -n) to {wanted}",
                shared.open,
                shared.http
            );
        }
        shared
    }

    /// Shares out a limit: the API gets at most a quarter.
    fn share(limit: usize, wanted: Self) -> Self {
        let left = limit.saturating_sub(OWN);
        let http = wanted.http.min(left / 4).max(1);
        let accepted = wanted.accepted.min(left.saturating_sub(http)).max(1);
        Self { http, accepted, open: wanted.open.min(accepted - accepted / 11).max(1) }
    }
}

/// Raises the soft limit to `wanted` if it is lower, and returns what it is then.
#[cfg(unix)]
fn raise_to(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let of =
        |limit: Option<u64>| limit.map_or(usize::MAX, |it| it.try_into().unwrap_or(usize::MAX));
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if of(current) >= wanted {
        return of(current);
    }
    let wanted = wanted.min(of(maximum));
    let raised = Rlimit { current: u64::try_from(wanted).ok(), maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is");
            of(current)
        }
    }
}

/// This system has no such limit, or none that could be asked for.
#[cfg(not(unix))]
fn raise_to(_: usize) -> usize {
    UNKNOWN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_kind_takes_the_descriptors_of_the_other() {
        let wanted = Descriptors { http: 512, accepted: 11_000, open: 10_000 };
        assert_eq!(Descriptors::share(usize::MAX, wanted), wanted);
        for limit in [0, 64, 100, 256, 1_024, 4_096, 11_575, 11_576] {
            let Descriptors { http, accepted, open } = Descriptors::share(limit, wanted);
            assert!(http >= 1 && open >= 1 && accepted >= open, "{limit}");
            assert!(limit < 100 || OWN + http + accepted <= limit, "{limit}");
            assert!(limit < 256 || accepted > open, "none left to close with {limit}");
        }
    }

    #[test]
    fn the_soft_limit_rises() {
        let before = raise_to(0);
        let wanted = before.saturating_add(1);
        assert!(raise_to(wanted) >= before);
    }
}
