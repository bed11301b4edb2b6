//! How a program ends: 0 done, 1 failed while running, 2 cannot start as asked.

use clap::Parser;
use clap::error::ErrorKind;
use std::fmt;
use std::process::ExitCode;

/// The error that ends a program: its status and one line for standard error.
#[derive(Debug)]
pub enum Failure {
    /// A flag, a file or an address cannot be used: status 2.
    Usage(Box<dyn std::error::Error + Send + Sync>),
    /// Something failed later: status 1.
    Running(Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// A flag, a file or an address cannot be used: status 2.
    pub fn usage(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Usage(error.into())
    }

    /// The program failed while running: status 1.
    pub fn running(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Running(error.into())
    }

    /// The program cannot listen on one of several addresses, which the error names.
    #[must_use]
    pub fn bind(error: &std::io::Error) -> Self {
        Self::usage(format!("cannot listen for {error}"))
    }

    /// The program cannot listen on an address, for example because another program does.
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

/// Prints the failure, if there is one, and returns the exit status.
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

/// Parses the arguments of the program. `--help` and `--version` end it with status 0, a mistake with
/// status 2 and one line.
///
/// # Errors
/// The exit status.
pub fn arguments<A: Parser>(program: &str) -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            let _ = error.print();
            return ExitCode::from(2);
        }
        if !error.use_stderr() {
            // A closed standard output is not an error.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        status(program, Err(Failure::usage(one_line(&error.to_string()))))
    })
}

/// The first paragraph of clap's message, in one line: its usage and hints are left out.
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
