//! The processor time of another process.

use crate::Outcome;
use std::path::PathBuf;
use std::time::Duration;

/// A process whose time is read.
pub(crate) struct Cpu {
    tasks: PathBuf,
}

impl Cpu {
    pub(crate) fn of(process: u32) -> Self {
        Self { tasks: format!("/proc/{process}/task").into() }
    }

    /// What all its threads have taken so far, in the program and in the kernel.
    pub(crate) fn now(&self) -> Outcome<Duration> {
        let mut total = Duration::ZERO;
        for task in std::fs::read_dir(&self.tasks)? {
            // A thread that has just ended has no file any more.
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            let on_cpu = text.split(' ').next().ok_or("an empty schedstat")?;
            total += Duration::from_nanos(on_cpu.parse()?);
        }
        Ok(total)
    }
}
