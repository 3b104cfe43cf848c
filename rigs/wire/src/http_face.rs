//! An HTTP server that passes whole requests on and knows nothing of paths.
//!
//! A request arrives with its body and an [`Answer`]; whoever drives the node gives the answer back through
//! [`HttpFace::answer`]. A `101` accepts a WebSocket: from then on that client is sent every [`HttpFace::publish`]ed
//! text. What clients say on a WebSocket is ignored.

use crate::arrival::{Arrival, Arrivals};
use crate::error::WireError;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::FromRequestParts as _;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::debug;

/// The largest request body that is passed on.
pub const BODY_LIMIT: usize = 1 << 20;
/// How long a body may take to arrive: our choice.
const BODY_TIME: Duration = Duration::from_secs(10);
/// How long a node may take to answer: our choice.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// How long open exchanges may go on at the end: our choice.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);
/// Events that wait for a slow WebSocket client before it loses some: our choice.
const WAITING_EVENTS: usize = 1024;

/// Where the answer to one request goes. Dropped unanswered, the client gets a 503.
#[derive(Debug)]
pub struct Answer(oneshot::Sender<Reply>);

#[derive(Debug)]
struct Reply {
    response: http::Response<Bytes>,
    /// Subscribed before the answer leaves, so that no event is lost in between.
    events: Option<broadcast::Receiver<String>>,
}

/// A listening HTTP server.
#[derive(Debug)]
pub struct HttpFace {
    address: SocketAddr,
    events: broadcast::Sender<String>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl HttpFace {
    /// Binds and serves; requests arrive as [`Arrival::Http`].
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr, arrivals: Arrivals) -> Result<Self, WireError> {
        let bind_error = |source| WireError::Bind {
            transport: "http tcp",
            address,
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(bind_error)?;
        let bound = listener.local_addr().map_err(bind_error)?;
        let router = Router::new().fallback(pass_on).with_state(arrivals);
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, router).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            if let Err(error) = server.into_future().await {
                debug!(%error, "http server ended");
            }
        });
        Ok(Self {
            address: bound,
            events: broadcast::channel(WAITING_EVENTS).0,
            stop,
            task,
        })
    }

    /// The address with its real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers a request. With `101` the client becomes a listener of [`HttpFace::publish`].
    pub fn answer(&self, answer: Answer, response: http::Response<Bytes>) {
        let upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let events = upgrade.then(|| self.events.subscribe());
        if answer.0.send(Reply { response, events }).is_err() {
            debug!("client left before its answer");
        }
    }

    /// Sends a text to every WebSocket listener.
    pub fn publish(&self, text: String) {
        // Without listeners there is nobody to tell.
        let _ = self.events.send(text);
    }

    /// Stops listening, lets open answers out within a bound, and hangs up.
    pub async fn close(self) {
        drop(self.events);
        let _ = self.stop.send(());
        let mut task = self.task;
        if timeout(CLOSE_LIMIT, &mut task).await.is_err() {
            task.abort();
        }
    }
}

async fn pass_on(
    axum::extract::State(arrivals): axum::extract::State<mpsc::Sender<Arrival>>,
    request: axum::extract::Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    parts.extensions.clear();
    let body = match timeout(BODY_TIME, to_bytes(body, BODY_LIMIT)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let request = http::Request::from_parts(parts, body);
    let (answer, answered) = oneshot::channel();
    let arrival = Arrival::Http {
        request,
        answer: Answer(answer),
    };
    if arrivals.send(arrival).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let reply = match timeout(ANSWER_TIME, answered).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(_) => return StatusCode::GATEWAY_TIMEOUT.into_response(),
    };
    match (reply.events, upgrade) {
        (None, _) => reply.response.map(Body::from).into_response(),
        (Some(events), Ok(upgrade)) => upgrade.on_upgrade(move |socket| tell(socket, events)),
        // The node accepted a WebSocket where the client asked for none.
        (Some(_), Err(rejection)) => rejection.into_response(),
    }
}

/// One WebSocket listener until it leaves, is too slow, or the face closes.
async fn tell(mut socket: WebSocket, mut events: broadcast::Receiver<String>) {
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(text) => {
                    if socket.send(Message::Text(text.into())).await.is_err() {
                        return;
                    }
                }
                Err(ended) => {
                    debug!(%ended, "websocket closed by the host");
                    let _ = socket.send(Message::Close(None)).await;
                    return;
                }
            },
            heard = socket.recv() => match heard {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
