//! `lockstep server`: the mock application server on its own.

mod users;

use super::UsageError;
use crate::cli::{ServerArgs, TransportArg};
use serde_json::json;
use server::{AppServer, ServerConfig, UserConfig};
use sip::node::Transport;
use sip::time::Instant;
use std::io::Write;
use wire::program::Program;
use wire::sockets::SocketSpec;
use wire::start;

/// Runs the server until SIGTERM; `ready` gets one JSON line when it is ready.
///
/// # Errors
/// When a word is wrong or an address cannot be bound.
pub fn server(args: &ServerArgs, ready: &mut (impl Write + Send)) -> Result<(), UsageError> {
    let dialect = super::dialect(&args.dialect)?;
    let users = users::users(&args.users, args.users_file.as_deref())?;
    let transports: Vec<Transport> = args
        .transport
        .iter()
        .map(|transport| match transport {
            TransportArg::Udp => Transport::Udp,
            TransportArg::Tcp => Transport::Tcp,
        })
        .collect();
    let sockets = SocketSpec {
        sip: transports
            .iter()
            .map(|transport| (*transport, args.bind))
            .collect(),
        console: None,
        web: args.control,
    };
    let domain = args.domain.clone().unwrap_or_default();
    let seed = args.seed;
    let seed = seed.unwrap_or_else(|| start::seed(&args.bind.to_string()));
    let mut told = Ok(());
    let ending = Program::new(sockets).run(
        |sockets| {
            let mut server = AppServer::new(ServerConfig::one_site(
                dialect,
                sockets.sip_addrs().to_vec(),
                &domain,
                seed,
            ));
            for (name, password) in users {
                server.add_user(Instant::EPOCH, UserConfig::new(&name, &password));
            }
            let line = json!({
                "sip": sockets.sip_addr().to_string(),
                "transport": transports.iter().map(|it| it.as_str()).collect::<Vec<_>>(),
                "control": sockets.web_addr().map(|address| format!("http://{address}")),
                "users": server.users().collect::<Vec<_>>(),
            });
            told = writeln!(ready, "{line}").and_then(|()| ready.flush());
            server
        },
        &mut (),
    );
    ending.map_err(|error| UsageError::Shell(error.to_string()))?;
    told.map_err(|error| UsageError::Shell(format!("cannot say that the server is ready: {error}")))
}
