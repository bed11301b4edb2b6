//! The CPU time of processes, on systems with `/proc`.

use std::time::Duration;

/// The length of a tick of `/proc/PID/stat`: a hundredth of a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time of this process.
pub(super) fn own() -> Option<Duration> {
    of(std::process::id())
}

/// The CPU time of a process with all of its threads, in user and kernel mode.
pub(super) fn of(process: u32) -> Option<Duration> {
    ticks(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

fn ticks(stat: &str) -> Option<Duration> {
    // The name in parentheses may hold spaces and parentheses; what follows does not.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(TICK * next()?.saturating_add(next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 1000";
        assert_eq!(ticks(stat), Some(Duration::from_secs(3)));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
