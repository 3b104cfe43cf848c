//! A host with an echoing node, on real sockets of the loopback. Every wait is for a condition and bounded.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod echo;

use bytes::Bytes;
use echo::{Echo, HANG_UP, Seen};
use http::StatusCode;
use sip::node::Transport;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use wire::arrival::{Arrival, channel};
use wire::console::ConsoleSpec;
use wire::fetch::Fetcher;
use wire::flows::Flows;
use wire::host::{Ending, Host};
use wire::serial::SerialLine;
use wire::sockets::{SocketSpec, Sockets};
use wire::tap::{Observer, Sighting};
use wire::web::{Opened, listen};

const LIMIT: Duration = Duration::from_secs(20);

/// Runs `wait` with the bound of every wait here.
async fn soon<T>(wait: impl Future<Output = T>) -> T {
    timeout(LIMIT, wait).await.expect("it happens in time")
}

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A running host.
struct Running {
    sip: SocketAddr,
    console: Option<String>,
    web: Option<SocketAddr>,
    seen: mpsc::UnboundedReceiver<Seen>,
    stop: oneshot::Sender<()>,
    host: tokio::task::JoinHandle<(Echo, Ending)>,
}

async fn start(spec: SocketSpec) -> Running {
    start_with(spec, Echo::new).await
}

async fn start_with(
    spec: SocketSpec,
    make: impl FnOnce(mpsc::UnboundedSender<Seen>) -> Echo,
) -> Running {
    let sockets = Sockets::bind(&spec).await.unwrap();
    let (sip, web) = (sockets.sip_addr(), sockets.web_addr());
    let console = sockets.console_path().map(str::to_owned);
    let (notes, seen) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let host = Host::new(sockets, make(notes)).unwrap();
    let stopped = async {
        let _ = stopped.await;
    };
    Running {
        sip,
        console,
        web,
        seen,
        stop,
        host: tokio::spawn(async move { host.run(stopped, &mut ()).await }),
    }
}

impl Running {
    async fn end(self) -> (Echo, Ending) {
        self.stop.send(()).unwrap();
        soon(self.host).await.unwrap()
    }

    async fn until(&mut self, wanted: Seen) {
        while soon(self.seen.recv()).await.expect("the host runs") != wanted {}
    }
}

async fn read_exactly(stream: &mut TcpStream, wanted: &[u8]) {
    let mut read = vec![0; wanted.len()];
    soon(stream.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, wanted);
}

#[tokio::test]
async fn a_datagram_reaches_the_node_and_its_answer_the_sender() {
    let running = start(SocketSpec::sip(loopback())).await;
    let peer = UdpSocket::bind(loopback()).await.unwrap();
    peer.send_to(b"over udp", running.sip).await.unwrap();
    let mut buffer = [0; 64];
    let (size, from) = soon(peer.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(&buffer[..size], b"over udp");
    assert_eq!(from, running.sip);
    assert_eq!(running.end().await.1, Ending::Complete);
}

#[tokio::test]
async fn a_stream_passes_in_pieces_however_they_are_cut_or_joined() {
    let running = start(SocketSpec::sip(loopback())).await;
    let mut peer = TcpStream::connect(running.sip).await.unwrap();
    peer.set_nodelay(true).unwrap();
    peer.write_all(b"half a ").await.unwrap();
    read_exactly(&mut peer, b"half a ").await;
    peer.write_all(b"message, and a whole one").await.unwrap();
    read_exactly(&mut peer, b"message, and a whole one").await;
    let large = vec![b'x'; 300_000];
    let (mut reader, mut writer) = peer.split();
    let mut back = vec![0; large.len()];
    let (wrote, read) =
        soon(async { tokio::join!(writer.write_all(&large), reader.read_exact(&mut back)) }).await;
    wrote.unwrap();
    read.unwrap();
    assert_eq!(back, large);
    running.end().await;
}

#[tokio::test]
async fn a_node_that_transmits_on_a_new_flow_gets_a_connection_and_keeps_it() {
    let peer = TcpListener::bind(loopback()).await.unwrap();
    let remote = peer.local_addr().unwrap();
    let running = start(SocketSpec::sip(loopback())).await;
    let command = UdpSocket::bind(loopback()).await.unwrap();
    let order = format!("connect {remote} first");
    command
        .send_to(order.as_bytes(), running.sip)
        .await
        .unwrap();
    let (mut stream, _) = soon(peer.accept()).await.unwrap();
    read_exactly(&mut stream, b"first").await;
    let order = format!("connect {remote} second");
    command
        .send_to(order.as_bytes(), running.sip)
        .await
        .unwrap();
    read_exactly(&mut stream, b"second").await;
    running.end().await;
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"", "a graceful end closes the connection");
}

#[tokio::test]
async fn the_node_is_told_when_a_stream_ends_and_when_nobody_listens() {
    let mut running = start(SocketSpec::sip(loopback())).await;
    let peer = TcpStream::connect(running.sip).await.unwrap();
    let address = peer.local_addr().unwrap();
    drop(peer);
    running.until(Seen::Closed(address)).await;

    let listener = TcpListener::bind(loopback()).await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let command = UdpSocket::bind(loopback()).await.unwrap();
    let order = format!("connect {nobody} hello");
    command
        .send_to(order.as_bytes(), running.sip)
        .await
        .unwrap();
    running.until(Seen::Closed(nobody)).await;
    running.end().await;
}

#[tokio::test]
async fn a_node_closes_a_stream_and_what_it_sent_before_still_leaves() {
    let mut running = start(SocketSpec::sip(loopback())).await;
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.sip).await.unwrap();
        stream.write_all(HANG_UP).await.unwrap();
        let mut heard = Vec::new();
        soon(stream.read_to_end(&mut heard)).await.unwrap();
        assert_eq!(heard, b"last bytes");
        let address = stream.local_addr().unwrap();
        running.until(Seen::Closed(address)).await;
    }
    running.end().await;
}

#[tokio::test]
async fn what_a_connection_brought_is_known_to_be_stale_once_it_is_given_up() {
    for end in [Flows::end, Flows::cut] {
        let (arrivals, mut arrived) = channel();
        let listen = [(Transport::Tcp, loopback())];
        let flows = Flows::bind(&listen, arrivals).await.unwrap();
        let mut stream = TcpStream::connect(flows.first_address()).await.unwrap();
        stream.write_all(b"a piece").await.unwrap();
        let Some(Arrival::Sip {
            flow, connection, ..
        }) = soon(arrived.recv()).await
        else {
            panic!("a piece arrives first")
        };
        assert!(!connection.is_given_up());
        assert!(end(&flows, flow));
        assert!(connection.is_given_up());
        assert!(!end(&flows, flow), "it is out of the table");
        let mut heard = Vec::new();
        // An end and a reset are both an end to the peer.
        let _ = soon(stream.read_to_end(&mut heard)).await;
        assert!(heard.is_empty());
        flows.close().await;
    }
}

#[tokio::test]
async fn a_pseudo_terminal_carries_every_byte_and_can_be_reopened() {
    let spec = SocketSpec {
        console: Some(ConsoleSpec::Pty),
        ..SocketSpec::sip(loopback())
    };
    let running = start(spec).await;
    let path = running.console.clone().unwrap();
    for _ in 0..2 {
        let (arrivals, mut arrived) = channel();
        let line = SerialLine::open(&path, 115_200, arrivals).await.unwrap();
        let odd = b"\x00\xff\r\n\x03\x11\x13\x7f";
        line.write(Bytes::from_static(odd)).unwrap();
        let mut heard = Vec::new();
        while heard.len() < odd.len() {
            match soon(arrived.recv()).await {
                Some(Arrival::Console(bytes)) => heard.extend_from_slice(&bytes),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, odd);
        soon(line.close()).await;
    }
    running.end().await;
}

#[tokio::test]
async fn a_console_in_use_is_refused_with_its_name() {
    let spec = SocketSpec {
        console: Some(ConsoleSpec::Pty),
        ..SocketSpec::sip(loopback())
    };
    let running = start(spec).await;
    let path = running.console.clone().unwrap();
    let (arrivals, _arrived) = channel();
    let _line = SerialLine::open(&path, 115_200, arrivals.clone())
        .await
        .unwrap();
    let error = SerialLine::open(&path, 115_200, arrivals)
        .await
        .unwrap_err();
    assert!(error.to_string().contains(&path), "{error}");
    running.end().await;
}

#[tokio::test]
async fn a_tcp_console_serves_one_client_at_a_time() {
    let spec = SocketSpec {
        console: Some("tcp://127.0.0.1:0".parse().unwrap()),
        ..SocketSpec::sip(loopback())
    };
    let running = start(spec).await;
    let path = running.console.clone().unwrap();
    let address: SocketAddr = path.strip_prefix("tcp://").unwrap().parse().unwrap();
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"help\r").await.unwrap();
    read_exactly(&mut first, b"help\r").await;
    let mut second = TcpStream::connect(address).await.unwrap();
    let mut refusal = String::new();
    soon(second.read_to_string(&mut refusal)).await.unwrap();
    assert_eq!(refusal, "console in use\r\n");
    drop(first);
    // The next client is served once the host has seen the first one leave; until then it is refused.
    soon(async {
        loop {
            let mut third = TcpStream::connect(address).await.unwrap();
            let mut read = [0; 4];
            if third.write_all(b"next").await.is_ok()
                && third.read_exact(&mut read).await.is_ok()
                && read == *b"next"
            {
                break;
            }
        }
    })
    .await;
    running.end().await;
}

#[tokio::test]
async fn a_lost_tcp_console_says_so() {
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let (arrivals, mut arrived) = channel();
    let _line = SerialLine::open(&address, 115_200, arrivals).await.unwrap();
    drop(soon(listener.accept()).await.unwrap());
    assert!(matches!(
        soon(arrived.recv()).await,
        Some(Arrival::ConsoleClosed(_))
    ));
}

fn get(uri: &str) -> http::Request<Bytes> {
    http::Request::get(uri).body(Bytes::new()).unwrap()
}

async fn start_web() -> (Running, String) {
    let spec = SocketSpec {
        web: Some(loopback()),
        ..SocketSpec::sip(loopback())
    };
    let running = start(spec).await;
    let root = format!("http://{}", running.web.unwrap());
    (running, root)
}

#[tokio::test]
async fn a_request_reaches_the_node_whole() {
    let (running, root) = start_web().await;
    let fetcher = Fetcher::new().unwrap();
    let request = http::Request::put(format!("{root}/some/path?x=1"))
        .header("X-Rig", "yes")
        .body(Bytes::from_static(b"the body"))
        .unwrap();
    let answer = soon(fetcher.fetch(request)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["x-method"], "PUT");
    assert_eq!(answer.headers()["x-rig"], "yes");
    assert_eq!(answer.body().as_ref(), b"/some/path?x=1 the body");
    running.end().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_before_the_node() {
    let (running, root) = start_web().await;
    let request = http::Request::post(format!("{root}/large"))
        .body(Bytes::from(vec![0; wire::http_face::BODY_LIMIT + 1]))
        .unwrap();
    let answer = soon(Fetcher::new().unwrap().fetch(request)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    running.end().await;
}

fn upgrade(uri: &str) -> http::Request<Bytes> {
    http::Request::get(uri)
        .header("Upgrade", "websocket")
        .header("Authorization", "Bearer t")
        .body(Bytes::new())
        .unwrap()
}

#[tokio::test]
async fn a_websocket_hears_every_event_from_its_101_on_and_the_end() {
    let (running, root) = start_web().await;
    let (arrivals, mut arrived) = channel();
    let opened = soon(listen(&upgrade(&format!("{root}/events")), arrivals))
        .await
        .unwrap();
    let Opened::Listening(_stream, answer) = opened else {
        panic!("{opened:?}");
    };
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    // The echo publishes one event together with its 101, and one for every other request.
    soon(Fetcher::new().unwrap().fetch(get(&format!("{root}/more"))))
        .await
        .unwrap();
    for expected in ["opened", "GET /more"] {
        match soon(arrived.recv()).await {
            Some(Arrival::Event(text)) => assert_eq!(text, expected),
            other => panic!("{other:?}"),
        }
    }
    running.end().await;
    assert!(matches!(
        soon(arrived.recv()).await,
        Some(Arrival::EventsClosed(_))
    ));
}

#[tokio::test]
async fn a_refused_websocket_is_an_ordinary_answer() {
    let (running, root) = start_web().await;
    let (arrivals, _arrived) = channel();
    let opened = soon(listen(&upgrade(&format!("{root}/forbidden")), arrivals))
        .await
        .unwrap();
    let Opened::Refused(answer) = opened else {
        panic!("{opened:?}");
    };
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.body().as_ref(), b"/forbidden ");
    running.end().await;
}

#[tokio::test]
async fn a_101_to_a_plain_request_harms_only_that_client() {
    let (running, root) = start_web().await;
    let fetcher = Fetcher::new().unwrap();
    let answer = soon(fetcher.fetch(get(&format!("{root}/events"))))
        .await
        .unwrap();
    assert!(answer.status().is_client_error(), "{answer:?}");
    soon(fetcher.fetch(get(&format!("{root}/more"))))
        .await
        .unwrap();
    running.end().await;
}

#[tokio::test]
async fn a_node_fetches_over_http_and_learns_why_it_cannot() {
    let (served, root) = start_web().await;
    let mut running = start(SocketSpec::sip(loopback())).await;
    let command = UdpSocket::bind(loopback()).await.unwrap();
    let order = format!("fetch {root}/7c2f80aabbcc.xml");
    command
        .send_to(order.as_bytes(), running.sip)
        .await
        .unwrap();
    let body = "/7c2f80aabbcc.xml ".to_owned();
    running.until(Seen::Fetched(200, body)).await;
    let order = b"fetch https://localhost/x.xml";
    command.send_to(order, running.sip).await.unwrap();
    let reason = "cannot fetch https://localhost/x.xml: https is not carried yet, use http";
    running.until(Seen::Failed(reason.to_owned())).await;
    running.end().await;
    served.end().await;
}

#[tokio::test]
async fn a_second_host_on_the_same_address_is_told_which_one() {
    let first = Sockets::bind(&SocketSpec::sip(loopback())).await.unwrap();
    let address = first.sip_addr();
    let error = Sockets::bind(&SocketSpec::sip(address)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot bind udp {address}: address in use")
    );
    let spec = SocketSpec {
        web: Some(address),
        ..SocketSpec::sip(loopback())
    };
    let error = Sockets::bind(&spec).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot bind http tcp {address}: address in use")
    );
}

#[tokio::test]
async fn port_zero_gives_one_port_for_all_transports_over_ipv6_too() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let spec = SocketSpec::sip(address.parse().unwrap());
        let sockets = Sockets::bind(&spec).await.unwrap();
        let ports: Vec<u16> = sockets.sip_addrs().iter().map(|(_, a)| a.port()).collect();
        assert_eq!(ports[0], ports[1]);
        assert_ne!(ports[0], 0);
    }
}

#[tokio::test]
async fn a_deadline_of_the_node_comes_to_pass() {
    let mut running = start(SocketSpec::sip(loopback())).await;
    let command = UdpSocket::bind(loopback()).await.unwrap();
    command.send_to(b"wait 20", running.sip).await.unwrap();
    running.until(Seen::Waited).await;
    running.end().await;
}

#[tokio::test]
async fn a_node_that_never_ends_is_abandoned() {
    let running = start_with(SocketSpec::sip(loopback()), |notes| {
        Echo::new(notes).that_never_ends()
    })
    .await;
    assert_eq!(running.end().await.1, Ending::Abandoned);
}

struct Count(usize, usize);

impl Observer<Echo> for Count {
    fn sip(&mut self, _now: sip::time::Instant, sighting: &Sighting) {
        match sighting.sent {
            None => self.0 += 1,
            Some(_) => self.1 += 1,
        }
    }
}

#[tokio::test]
async fn the_tap_sees_what_is_received_and_sent_and_the_last_words_leave() {
    let sockets = Sockets::bind(&SocketSpec::sip(loopback())).await.unwrap();
    let address = sockets.sip_addr();
    let peer = UdpSocket::bind(loopback()).await.unwrap();
    let (notes, _seen) = mpsc::unbounded_channel();
    let node = Echo::new(notes).with_last_words(peer.local_addr().unwrap());
    let mut count = Count(0, 0);
    let stop = async {
        peer.send_to(b"ping", address).await.unwrap();
        let mut buffer = [0; 16];
        soon(peer.recv(&mut buffer)).await.unwrap();
    };
    let host = Host::new(sockets, node).unwrap();
    let (_, ending) = soon(host.run(stop, &mut count)).await;
    assert_eq!(ending, Ending::Complete);
    assert_eq!((count.0, count.1), (1, 2));
    let mut buffer = [0; 16];
    let size = soon(peer.recv(&mut buffer)).await.unwrap();
    assert_eq!(&buffer[..size], b"goodbye");
}
