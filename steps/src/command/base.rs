//! `lockstep base`: an emulated base on its own.

use super::UsageError;
use crate::cli::BaseArgs;
use firmware_stubs::shell::{self, ShellOptions};
use rustix::process::{Signal, getpid, kill_process};
use std::io::{self, Write};
use std::net::SocketAddr;
use wire::start;

/// Runs an emulated base until SIGTERM; `ready` gets one JSON line when it is ready.
///
/// # Errors
/// When a word is wrong or an address cannot be bound.
pub fn base(args: &BaseArgs, ready: &mut (impl Write + Send)) -> Result<(), UsageError> {
    let shell_error = |error: &dyn std::fmt::Display| UsageError::Shell(error.to_string());
    let console = args.console.as_deref().map(str::parse).transpose();
    let is_mac = args.mac.len() == 12 && args.mac.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_mac {
        let words = format!(
            "`{}` is not a MAC address: expected 12 hexadecimal digits",
            args.mac
        );
        return Err(UsageError::Words(words));
    }
    let mac = args.mac.to_ascii_lowercase();
    let options = ShellOptions {
        model: super::model(&args.model)?,
        mutant: args.mutant.as_deref().map(super::mutant).transpose()?,
        seed: args.seed.unwrap_or_else(|| start::seed(&mac)),
        mac,
        provisioning: args.provisioning.clone(),
        sip: SocketAddr::new(args.bind, args.port),
        console: console.map_err(|error| shell_error(&error))?,
        web: args.web,
    };
    if args.end_with_stdin {
        std::thread::spawn(end_with_stdin);
    }
    shell::run(options, ready)
        .map(|_| ())
        .map_err(|error| shell_error(&error))
}

/// Waits for the end of standard input, then asks this program to shut down cleanly.
fn end_with_stdin() {
    // An input that cannot be read has ended too.
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    let _ = kill_process(getpid(), Signal::TERM);
}
