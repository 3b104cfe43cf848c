//! The wire laboratory with a base that is a shell script: it says where it listens, and the test itself holds the other
//! ends of its lines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bench::error::RigError;
use bench::lab::names::Names;
use bench::lab::network::{Effect, Fault};
use bench::lab::wire_lab::{WireBase, WireLab, WireServer, WireSetup, WireUnit};
use bench::lab::{Indication, Lab, NodeId};
use bytes::Bytes;
use evidence::record::{Direction, Fate, Sip};
use serialport::{SerialPort as _, TTYPort};
use server::{AppServer, Dialect, ServerConfig};
use sip::node::ExchangeId;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);
const UNIT: NodeId = NodeId(1);
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn loopback() -> SocketAddr {
    SocketAddr::new(HOME, 0)
}

/// A laboratory with a base that runs this script. `$0.pipe` never gets a line: reading from it waits for a signal.
struct Bench {
    lab: WireLab,
    _folder: TempDir,
}

fn bench(script: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let command = folder.path().join("base");
    let wait = "mkfifo \"$0.pipe\"; exec 3<>\"$0.pipe\"; wait_for_signal() { read -r x <&3; }";
    write_executable(&command, &format!("#!/bin/sh\n{wait}\n{script}\n"));
    let base = WireBase::Emulated {
        command,
        model: "script".to_owned(),
        mac: "7c2f80aabbcc".to_owned(),
        arguments: Vec::new(),
    };
    Bench {
        lab: open(base),
        _folder: folder,
    }
}

/// Another process writes it: a file that this one had open for writing could be inherited, open, by what a test beside
/// this one starts at that moment, and nothing that anybody has open for writing can be executed.
fn write_executable(path: &Path, text: &str) {
    let write = "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let status = Command::new("/bin/sh")
        .args(["-c", write])
        .arg(path)
        .arg(text)
        .status();
    assert!(status.unwrap().success());
}

fn open(base: WireBase) -> WireLab {
    open_at(base, 115_200)
}

fn open_at(base: WireBase, baud: u32) -> WireLab {
    let text = include_str!("../../dialects/broadsoft.toml");
    let dialect = Dialect::from_toml(text, "broadsoft.toml").unwrap();
    WireLab::open(WireSetup {
        units: vec![WireUnit {
            base,
            baud,
            bind: HOME,
        }],
        address: HOME,
        servers: vec![WireServer {
            sites: 1,
            make: Box::new(|listen| {
                let listen = listen.concat();
                AppServer::new(ServerConfig::one_site(dialect, listen, "example.test", 1))
            }),
        }],
        names: Names::default(),
        seed: 1,
    })
    .unwrap()
}

/// The ends of a base's lines.
struct Ends {
    sip: UdpSocket,
    console: TcpListener,
    web: TcpListener,
}

impl Ends {
    fn new() -> Self {
        let sip = UdpSocket::bind(loopback()).unwrap();
        sip.set_read_timeout(Some(LIMIT)).unwrap();
        Self {
            sip,
            console: TcpListener::bind(loopback()).unwrap(),
            web: TcpListener::bind(loopback()).unwrap(),
        }
    }

    /// A base that says where it listens and then waits to be ended.
    fn script(&self) -> String {
        format!(
            "trap 'exit 0' TERM\n\
             echo '{{\"sip\":\"{}\",\"console\":\"tcp://{}\",\"web\":\"{}\",\"handsets\":[]}}'\n\
             wait_for_signal",
            self.sip.local_addr().unwrap(),
            self.console.local_addr().unwrap(),
            self.web.local_addr().unwrap(),
        )
    }
}

/// The first observation that `wanted` picks.
fn until<T>(lab: &mut WireLab, mut wanted: impl FnMut(Indication) -> Option<T>) -> T {
    let deadline = lab.now() + LIMIT;
    loop {
        let observed = lab.advance(deadline).expect("it happens in time");
        assert!(observed.wall.is_some());
        if let Some(found) = wanted(observed.indication) {
            return found;
        }
    }
}

fn sip(lab: &mut WireLab) -> Sip {
    until(lab, |indication| match indication {
        Indication::Sip(sip) => Some(sip),
        _ => None,
    })
}

fn broken(lab: &mut WireLab) -> RigError {
    until(lab, |indication| match indication {
        Indication::Broken(error) => Some(error),
        _ => None,
    })
}

fn ended(lab: &mut WireLab) {
    until(lab, |indication| match indication {
        Indication::Broken(error) => panic!("{error}"),
        Indication::BaseEnded => Some(()),
        _ => None,
    });
}

fn reply(lab: &mut WireLab, asked: ExchangeId) -> Result<http::Response<Bytes>, String> {
    until(lab, |indication| match indication {
        Indication::HttpReply { exchange, reply } if exchange == asked => {
            Some(reply.map_err(|failure| failure.0))
        }
        _ => None,
    })
}

/// Waits until the base has said where it listens.
fn be_ready(lab: &mut WireLab, ends: &Ends) {
    let sip = ends.sip.local_addr().unwrap();
    let deadline = lab.now() + LIMIT;
    while lab.layout().units[0].sip != sip {
        assert!(lab.now() < deadline, "the base is ready in time");
        let _ = lab.advance(lab.now() + Duration::from_millis(5));
    }
}

fn nothing_within(lab: &mut WireLab, length: Duration) -> bool {
    let deadline = lab.now() + length;
    lab.advance(deadline).is_none()
}

fn options(transport: &str) -> Vec<u8> {
    format!(
        "OPTIONS sip:example.test SIP/2.0\r\n\
         Via: SIP/2.0/{transport} 127.0.0.1:5060;branch=z9hG4bK1;rport\r\n\
         From: <sip:a@example.test>;tag=1\r\nTo: <sip:example.test>\r\n\
         Call-ID: c\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn what_the_base_sends_is_tapped_and_answered_by_the_server() {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    bench.lab.power_on(UNIT).unwrap();
    be_ready(&mut bench.lab, &ends);
    let server = bench.lab.layout().servers[0].sites[0];
    ends.sip.send_to(&options("UDP"), server).unwrap();
    let seen: Vec<_> = (0..4)
        .map(|_| sip(&mut bench.lab))
        .map(|sip| (sip.direction, sip.fate))
        .collect();
    let expected = [
        (Direction::FromBase, Fate::Sent),
        (Direction::FromBase, Fate::Delivered),
        (Direction::ToBase, Fate::Sent),
        (Direction::ToBase, Fate::Delivered),
    ];
    assert_eq!(seen, expected);
    let mut buffer = [0; 2000];
    let size = ends.sip.recv(&mut buffer).unwrap();
    assert!(buffer[..size].starts_with(b"SIP/2.0 "));
}

/// What is told of the messages, in order: each fate of those of the base, and where two readers differed.
fn told_of(datagrams: &[String]) -> Vec<String> {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    bench.lab.power_on(UNIT).unwrap();
    be_ready(&mut bench.lab, &ends);
    let server = bench.lab.layout().servers[0].sites[0];
    let mut told = Vec::new();
    for datagram in datagrams {
        ends.sip.send_to(datagram.as_bytes(), server).unwrap();
        until(&mut bench.lab, |indication| match indication {
            Indication::Sip(sip) if sip.direction == Direction::FromBase => {
                told.push(format!("{:?}", sip.fate));
                (sip.fate == Fate::Delivered).then_some(())
            }
            Indication::ReadDifferently(text) => {
                told.push(text);
                None
            }
            _ => None,
        });
    }
    told
}

#[test]
fn a_message_that_two_readers_read_differently_is_told_once_and_goes_on() {
    let sound = String::from_utf8(options("UDP")).unwrap();
    let odd = sound.replace("To: <sip:example.test>", "To: sip:exam\"ple.test;tag=9");
    let told = told_of(&[odd]);
    let [sent, differently, delivered] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((sent.as_str(), delivered.as_str()), ("Sent", "Delivered"));
    assert_eq!(
        differently,
        "`OPTIONS sip:example.test SIP/2.0` of the base: the To tag: our reader says nothing, rsip says `9`"
    );
}

#[test]
fn nothing_is_told_of_a_message_that_the_second_reader_is_known_not_to_read() {
    let sound = String::from_utf8(options("UDP")).unwrap();
    let folded = sound.replace("CSeq: 1 ", "CSeq: 1\r\n ");
    let told = told_of(&[sound, folded]);
    assert_eq!(told, ["Sent", "Delivered", "Sent", "Delivered"]);
}

#[test]
fn a_dropped_datagram_was_sent_and_the_server_does_not_see_it() {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    bench.lab.power_on(UNIT).unwrap();
    be_ready(&mut bench.lab, &ends);
    let server = bench.lab.layout().servers[0].sites[0];
    bench
        .lab
        .disturb(Fault::new(Effect::Drop).from_base().next(1));
    ends.sip.send_to(&options("UDP"), server).unwrap();
    assert_eq!(sip(&mut bench.lab).fate, Fate::Sent);
    assert_eq!(sip(&mut bench.lab).fate, Fate::Dropped);
    ends.sip.send_to(&options("UDP"), server).unwrap();
    assert_eq!(sip(&mut bench.lab).fate, Fate::Sent);
    assert_eq!(sip(&mut bench.lab).fate, Fate::Delivered);
}

#[test]
fn a_datagram_for_the_port_of_an_earlier_boot_is_dropped() {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    let server = bench.lab.layout().servers[0].sites[0];
    bench.lab.power_on(UNIT).unwrap();
    be_ready(&mut bench.lab, &ends);
    // It also speaks on a port that it does not tell, and is answered there for as long as it runs.
    let earlier = UdpSocket::bind(loopback()).unwrap();
    let answer = |lab: &mut WireLab, fate: Fate| {
        until(lab, |indication| match indication {
            Indication::Sip(sip)
                if sip.direction == Direction::ToBase && sip.fate != Fate::Sent =>
            {
                assert_eq!(sip.fate, fate, "to {}", sip.destination);
                Some(sip.destination)
            }
            _ => None,
        })
    };
    earlier.send_to(&options("UDP"), server).unwrap();
    answer(&mut bench.lab, Fate::Delivered);
    let late = Duration::from_millis(300);
    bench.lab.disturb(Fault::new(Effect::Delay(late)).to_base());
    earlier.send_to(&options("UDP"), server).unwrap();
    until(&mut bench.lab, |indication| match indication {
        Indication::Sip(sip) if sip.direction == Direction::ToBase => Some(()),
        _ => None,
    });
    bench.lab.power_off(UNIT).unwrap();
    bench.lab.power_on(UNIT).unwrap();
    let dropped = answer(&mut bench.lab, Fate::Dropped);
    assert_eq!(dropped, earlier.local_addr().unwrap());
}

#[test]
fn a_message_in_two_pieces_of_a_stream_is_one_record() {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    bench.lab.power_on(UNIT).unwrap();
    be_ready(&mut bench.lab, &ends);
    let mut stream = TcpStream::connect(bench.lab.layout().servers[0].sites[0]).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let message = options("TCP");
    stream.write_all(&message[..40]).unwrap();
    assert!(nothing_within(&mut bench.lab, Duration::from_millis(30)));
    stream.write_all(&message[40..]).unwrap();
    let sent = sip(&mut bench.lab);
    assert_eq!(
        (sent.transport.as_str(), sent.bytes),
        ("TCP", message.into())
    );
    let answered = until(&mut bench.lab, |indication| match indication {
        Indication::Sip(sip) if sip.direction == Direction::ToBase => Some(sip.fate),
        _ => None,
    });
    assert_eq!(answered, Fate::Sent);
    assert_eq!(sip(&mut bench.lab).fate, Fate::Delivered);
    // The bytes leave while the laboratory runs.
    let _ = bench
        .lab
        .advance(bench.lab.now() + Duration::from_millis(30));
    let mut start = [0; 8];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"SIP/2.0 ");
    bench.lab.reset_streams();
    let mut rest = Vec::new();
    // A cut stream ends, with or without an error; what counts is that it ends.
    let _ = bench
        .lab
        .advance(bench.lab.now() + Duration::from_millis(30));
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(sip_count(&mut bench.lab), 0);
}

#[test]
fn a_stream_whose_framing_is_lost_is_closed_and_the_record_says_so() {
    // The base is off: whoever connects to the server will do.
    let mut bench = bench("exit 0");
    let server = bench.lab.layout().servers[0].sites[0];
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let lost = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n";
    stream.write_all(lost).unwrap();
    for fate in [Fate::Sent, Fate::Delivered] {
        let seen = sip(&mut bench.lab);
        assert_eq!((seen.fate, &seen.bytes[..]), (fate, &lost[..]));
    }
    let note = until(&mut bench.lab, |indication| match indication {
        Indication::Note(text) => Some(text),
        _ => None,
    });
    let peer = stream.local_addr().unwrap();
    let expected = format!(
        "the application server closed the TCP connection with {peer}: its framing is lost"
    );
    assert_eq!(note, expected);
    // The laboratory closes the connection while it runs.
    let heard = std::thread::spawn(move || stream.read(&mut [0; 16]));
    while !heard.is_finished() {
        let soon = bench.lab.now() + Duration::from_millis(20);
        bench.lab.advance(soon);
    }
    assert_eq!(heard.join().unwrap().unwrap(), 0, "the end of the stream");
}

fn sip_count(lab: &mut WireLab) -> usize {
    let deadline = lab.now() + Duration::from_millis(50);
    std::iter::from_fn(|| lab.advance(deadline))
        .filter(|observed| matches!(observed.indication, Indication::Sip(_)))
        .count()
}

#[test]
fn what_is_typed_before_the_console_is_there_waits_for_it() {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    bench.lab.power_on(UNIT).unwrap();
    bench
        .lab
        .write_console(UNIT, Bytes::from_static(b"help\r"))
        .unwrap();
    be_ready(&mut bench.lab, &ends);
    let _ = bench
        .lab
        .advance(bench.lab.now() + Duration::from_millis(30));
    let (mut line, _) = ends.console.accept().unwrap();
    line.set_read_timeout(Some(LIMIT)).unwrap();
    let mut typed = [0; 5];
    line.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"help\r");
    line.write_all(b"n870> ").unwrap();
    let heard = until(&mut bench.lab, |indication| match indication {
        Indication::Console(bytes) => Some(bytes),
        _ => None,
    });
    assert_eq!(heard, b"n870> ".as_slice());
}

#[test]
fn a_web_request_waits_for_the_base_and_fails_when_it_is_off() {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    let request = || {
        http::Request::get("/api/device")
            .body(Bytes::new())
            .unwrap()
    };
    let asked = bench.lab.request(UNIT, request());
    let failed = reply(&mut bench.lab, asked).unwrap_err();
    assert_eq!(failed, "the base is off");

    bench.lab.power_on(UNIT).unwrap();
    let asked = bench.lab.request(UNIT, request());
    let web = ends.web.try_clone().unwrap();
    let answering = std::thread::spawn(move || {
        let (mut client, _) = web.accept().unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            heard.extend(byte);
        }
        client
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            .unwrap();
        String::from_utf8(heard).unwrap()
    });
    let answer = reply(&mut bench.lab, asked).unwrap();
    assert_eq!(answer.body().as_ref(), b"{}");
    assert!(
        answering
            .join()
            .unwrap()
            .starts_with("GET /api/device HTTP/1.1")
    );
}

#[test]
fn the_base_fetches_its_provisioning_from_the_bench() {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    let url = bench.lab.layout().provisioning;
    let root = url.strip_prefix("http://").unwrap();
    let (host, path) = root.split_once('/').unwrap();
    let mut client = TcpStream::connect(host).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    let head = format!(
        "GET /{path}/7c2f80aabbcc.xml HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).unwrap();
    let (exchange, fetched) = until(&mut bench.lab, |indication| match indication {
        Indication::Fetch { exchange, request } => Some((exchange, request)),
        _ => None,
    });
    assert_eq!(fetched.uri().path(), "/provisioning/7c2f80aabbcc.xml");
    let document = Bytes::from_static(b"<provisioning/>");
    bench.lab.reply(exchange, http::Response::new(document));
    let _ = bench
        .lab
        .advance(bench.lab.now() + Duration::from_millis(50));
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("<provisioning/>"), "{answer}");
}

#[test]
fn a_base_that_dies_is_a_fault_of_the_rig_with_its_last_words() {
    let mut bench = bench("echo \"thread 'main' panicked at the disco\" >&2; exit 101");
    bench.lab.power_on(UNIT).unwrap();
    let error = broken(&mut bench.lab).to_string();
    assert_eq!(
        error,
        "emulated base `script`: it ended unexpectedly with exit status: 101; \
         last words: thread 'main' panicked at the disco"
    );
    ended(&mut bench.lab);
    bench.lab.power_on(UNIT).unwrap();
    broken(&mut bench.lab);
}

#[test]
fn a_base_that_is_asked_to_end_ends_in_good_order() {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    bench.lab.power_on(UNIT).unwrap();
    be_ready(&mut bench.lab, &ends);
    bench.lab.shut_down(UNIT).unwrap();
    ended(&mut bench.lab);
}

#[test]
fn a_base_without_power_says_nothing_and_hears_nothing() {
    let ends = Ends::new();
    let mut bench = bench(&ends.script());
    bench.lab.power_on(UNIT).unwrap();
    be_ready(&mut bench.lab, &ends);
    bench.lab.power_off(UNIT).unwrap();
    let server = bench.lab.layout().servers[0].sites[0];
    ends.sip.send_to(&options("UDP"), server).unwrap();
    let fates: Vec<_> = (0..4).map(|_| sip(&mut bench.lab).fate).collect();
    assert_eq!(fates.last(), Some(&Fate::Dropped));
    assert!(nothing_within(&mut bench.lab, Duration::ZERO));
}

#[test]
fn a_base_that_says_nonsense_is_named() {
    let mut bench = bench("echo 'Usage: base'; trap 'exit 0' TERM; wait_for_signal");
    bench.lab.power_on(UNIT).unwrap();
    let error = broken(&mut bench.lab).to_string();
    assert!(error.contains("Usage: base"), "{error}");
}

#[test]
fn a_missing_program_is_named_at_once() {
    let mut lab = open(WireBase::Emulated {
        command: "/no/such/lockstep".into(),
        model: "n870".to_owned(),
        mac: "7c2f80aabbcc".to_owned(),
        arguments: Vec::new(),
    });
    let error = lab.power_on(UNIT).unwrap_err().to_string();
    assert!(error.contains("cannot start /no/such/lockstep"), "{error}");
}

#[test]
fn a_real_base_has_no_switch_and_its_lost_console_is_named() {
    let ends = Ends::new();
    let console = format!("tcp://{}", ends.console.local_addr().unwrap());
    let mut lab = open(WireBase::Real {
        sip: ends.sip.local_addr().unwrap(),
        console: Some(console.clone()),
        web: None,
    });
    lab.power_on(UNIT).unwrap();
    assert!(matches!(lab.power_off(UNIT), Err(RigError::Missing { .. })));
    assert!(matches!(lab.shut_down(UNIT), Err(RigError::Missing { .. })));
    let (line, _) = ends.console.accept().unwrap();
    drop(line);
    let error = broken(&mut lab).to_string();
    assert!(error.starts_with(&format!("console {console}")), "{error}");
}

#[test]
fn a_serial_console_is_opened_with_the_speed_of_the_profile() {
    let ends = Ends::new();
    let (master, slave) = TTYPort::pair().unwrap();
    let console = slave.name();
    drop(slave);
    let base = WireBase::Real {
        sip: ends.sip.local_addr().unwrap(),
        console,
        web: None,
    };
    let mut lab = open_at(base, 19_200);
    lab.power_on(UNIT).unwrap();
    assert_eq!(master.baud_rate().unwrap(), 19_200);
}

#[test]
fn the_deadline_of_a_wait_is_kept() {
    let mut bench = bench("exit 0");
    let deadline = bench.lab.now() + Duration::from_millis(40);
    assert!(bench.lab.advance(deadline).is_none());
    assert!(bench.lab.now() >= deadline);
}
