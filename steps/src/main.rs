//! The command `lockstep`.

use clap::Parser as _;
use std::io;
use std::process::ExitCode;
use steps::cli::{Cli, Command};
use steps::command::{self, UsageError};

/// Usage or configuration.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("LOCKSTEP_LOG"))
        .with_writer(io::stderr)
        .init();
    match dispatch(cli) {
        Ok(code) => code.into(),
        Err(error) => {
            complain(&error);
            USAGE.into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<u8, UsageError> {
    match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(args) => command::run::run(&args, io::stdout()),
        Command::List(args) => {
            show(&command::list::list(&args)?);
            Ok(0)
        }
        Command::Report(args) => {
            let (text, code) = command::report::report(&args)?;
            show(&text);
            Ok(code)
        }
        Command::Check(args) => command::check::check(&args, io::stdout().lock()),
        Command::Calibrate(args) => command::calibrate::calibrate(&args, &mut io::stdout()),
        Command::Base(args) => command::base::base(&args, &mut io::stdout()).map(|()| 0),
        Command::Server(args) => command::server::server(&args, &mut io::stdout()).map(|()| 0),
    }
}

/// Prints; a reader that went away is no error.
fn show(text: &str) {
    use io::Write as _;
    let _ = io::stdout().write_all(text.as_bytes());
}

#[expect(clippy::print_stderr, reason = "main tells the user what is wrong")]
fn complain(error: &UsageError) {
    eprintln!("lockstep: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        eprintln!("  because: {inner}");
        source = inner.source();
    }
}
