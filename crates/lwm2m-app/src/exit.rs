//! How a program ends: 0 done, 1 failed while running, 2 cannot start as asked.

use clap::Parser;
use clap::error::ErrorKind;
use std::fmt;
use std::process::ExitCode;

/// Why a program ends, in one line, and with which status.
#[derive(Debug)]
pub enum Failure {
    /// A flag, a file or an address cannot be used: status 2.
    Usage(Box<dyn std::error::Error + Send + Sync>),
    /// Something failed later: status 1.
    Running(Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// A failure to start as asked.
    pub fn usage(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Usage(error.into())
    }

    /// A failure while running.
    pub fn running(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Running(error.into())
    }

    /// A failure to listen on an address, for example because another program has it.
    #[must_use]
    pub fn listen(what: &str, address: std::net::SocketAddr, error: &std::io::Error) -> Self {
        Self::usage(format!("cannot listen for {what} on {address}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Running(error) => error.fmt(f),
        }
    }
}

/// Ends a program: prints the failure, if there is one, and gives the status.
#[must_use]
pub fn status(program: &str, outcome: Result<(), Failure>) -> ExitCode {
    let Err(failure) = outcome else {
        return ExitCode::SUCCESS;
    };
    eprintln!("{program}: {failure}");
    match failure {
        Failure::Usage(_) => ExitCode::from(2),
        Failure::Running(_) => ExitCode::FAILURE,
    }
}

/// The arguments of the program. `--help` and `--version` end it with status 0, what cannot be
/// understood with status 2 and one line.
///
/// # Errors
/// The status to end with.
pub fn arguments<A: Parser>(program: &str) -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            let _ = error.print();
            return ExitCode::from(2);
        }
        if !error.use_stderr() {
            // Help that nobody reads any more is no failure.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        status(program, Err(Failure::usage(one_line(&error.to_string()))))
    })
}

/// What is wrong, without the usage and the hints that follow it.
fn one_line(message: &str) -> String {
    let head = message.split("\n\n").next().unwrap_or(message);
    let words: Vec<&str> = head.trim_start_matches("error: ").split_whitespace().collect();
    format!("{}; see --help", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_fits_into_a_line() {
        let message = "error: the following required arguments were not provided:\n  --format <FORMAT>\n\nUsage: x\n";
        assert_eq!(
            one_line(message),
            "the following required arguments were not provided: --format <FORMAT>; see --help"
        );
    }
}
