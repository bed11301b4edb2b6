//! What libFuzzer's log of a run tells.

/// The figures of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Stats {
    /// Inputs that were run.
    pub(super) runs: u64,
    /// Covered edges when the corpus was read, and at the end.
    pub(super) edges: (u64, u64),
}

/// Reads a log: lines such as `#42 INITED cov: 17 ft: 18 corp: 2/3b …` and
/// `stat::number_of_executed_units: 1234`.
pub(super) fn read(log: &str) -> Stats {
    let mut edges = log.lines().filter_map(|line| number_after(line, " cov: "));
    let first = edges.next().unwrap_or(0);
    let last = edges.next_back().unwrap_or(first);
    let runs = log.lines().rev().find_map(|line| number_after(line, "number_of_executed_units: "));
    Stats { runs: runs.unwrap_or(0), edges: (first, last) }
}

fn number_after(line: &str, before: &str) -> Option<u64> {
    line.split_once(before)?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_a_log() {
        let log = "INFO: seed corpus: files: 2\n#3\tINITED cov: 17 ft: 18 corp: 2/3b\n\
            #9\tNEW    cov: 21 ft: 30 corp: 3/9b\n#99\tDONE   cov: 22 ft: 31 corp: 4/9b\n\
            stat::number_of_executed_units: 99\n";
        assert_eq!(read(log), Stats { runs: 99, edges: (17, 22) });
        assert_eq!(read("no figures"), Stats::default());
    }
}
