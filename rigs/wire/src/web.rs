//! The WebSocket client: listens to the events of a web interface.
//!
//! Opening one is an HTTP request with `Upgrade: websocket`, and a refusal is an ordinary answer (401, 404, ..) that the
//! web driver judges. Events arrive as [`Arrival::Event`]; the end is said once, with its reason.

use crate::arrival::{Arrival, Arrivals};
use crate::fetch::{FetchError, causes};
use bytes::Bytes;
use futures::StreamExt as _;
use http::header;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a connection may take: our choice, because it is one step away.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// An open event stream. Dropping it hangs up.
#[derive(Debug)]
pub struct EventStream {
    task: JoinHandle<()>,
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What became of an attempt to listen.
#[derive(Debug)]
pub enum Opened {
    /// The server accepted; the answer is its `101`.
    Listening(EventStream, http::Response<Bytes>),
    /// The server answered something else.
    Refused(http::Response<Bytes>),
}

/// Whether a request asks for a WebSocket.
#[must_use]
pub fn asks_for_websocket<B>(request: &http::Request<B>) -> bool {
    request
        .headers()
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens a WebSocket at the request's address (`http://` or `ws://`) with the request's own headers.
///
/// # Errors
/// When there is no answer at all.
pub async fn listen(
    request: &http::Request<Bytes>,
    arrivals: Arrivals,
) -> Result<Opened, FetchError> {
    let uri = request.uri().to_string();
    let failed = |reason| FetchError::Exchange {
        uri: uri.clone(),
        reason,
    };
    let address = uri.replacen("http://", "ws://", 1);
    let mut opening = address
        .into_client_request()
        .map_err(|error| failed(causes(&error)))?;
    for (name, value) in request.headers() {
        // The handshake's own headers were just written by the library.
        if !opening.headers().contains_key(name) {
            opening.headers_mut().append(name, value.clone());
        }
    }
    match timeout(CONNECT_LIMIT, connect_async(opening)).await {
        Err(_) => Err(failed("no answer in time".to_owned())),
        Ok(Ok((socket, answer))) => {
            let task = tokio::spawn(hear(socket, arrivals));
            let answer = answer.map(|body| body.map_or_else(Bytes::new, Bytes::from));
            Ok(Opened::Listening(EventStream { task }, answer))
        }
        Ok(Err(tungstenite::Error::Http(answer))) => {
            let answer = answer.map(|body| body.map_or_else(Bytes::new, Bytes::from));
            Ok(Opened::Refused(answer))
        }
        Ok(Err(error)) => Err(failed(causes(&error))),
    }
}

async fn hear(mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>, arrivals: Arrivals) {
    let reason = loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                if arrivals
                    .send(Arrival::Event(text.to_string()))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Some(Ok(Message::Close(_))) | None => break "the server hung up".to_owned(),
            Some(Ok(_)) => {}
            Some(Err(error)) => break causes(&error),
        }
    };
    let _ = arrivals.send(Arrival::EventsClosed(reason)).await;
}
