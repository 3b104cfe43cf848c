//! `lockstep base` and `lockstep server` against SIP software that nobody here wrote: SIPp, with our own scripts.
//!
//! The scripts are in `foreign/`. SIPp judges what it gets and ends with 0 when all of it was right. Where a script has come to
//! a point that the test waits for, it rings a bell: it connects to a port of the test and says a word. Without SIPp
//! (Debian: `sip-tester`) these tests say so and prove nothing; `.ci/run` installs it.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test support that cannot do its work ends the test, or says why it was not tried"
)]

mod program;
mod ready;

use program::{exit_code, lockstep, soon, top};
use ready::Ready;
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const XSI_DND: &str = "/com.broadsoft.xsi-actions/v2.0/user/2001/services/DoNotDisturb";

/// A port on which a SIPp script says how far it is.
struct Bell(TcpListener);

impl Bell {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn port(&self) -> String {
        self.0.local_addr().unwrap().port().to_string()
    }

    async fn rings(&self, word: &str) {
        let (mut caller, _) = soon(word, self.0.accept()).await.unwrap();
        let mut said = String::new();
        soon(word, caller.read_to_string(&mut said)).await.unwrap();
        assert_eq!(said.trim(), word);
    }
}

/// A SIPp that follows one of our scripts.
struct Sipp {
    child: Child,
    folder: tempfile::TempDir,
}

impl Sipp {
    /// Starts it; `None`, and a line that says why, when it is not installed.
    fn start(script: &str, arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let spawned = Command::new("sipp")
            .arg("-sf")
            .arg(script_path(script))
            .args(["-i", "127.0.0.1", "-nostdin", "-max_recv_loops", "1"])
            .args(["-trace_msg", "-message_file", "messages.log"])
            .args(["-trace_err", "-error_file", "errors.log"])
            .args(arguments)
            .current_dir(folder.path())
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        match spawned {
            Ok(child) => Some(Self { child, folder }),
            Err(error) => {
                println!("not tried: sipp (Debian: sip-tester) cannot be started: {error}");
                None
            }
        }
    }

    /// Waits until all calls of the script have gone as it says.
    async fn succeeds(mut self) {
        let code = exit_code(&mut self.child).await;
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let (errors, messages) = (read("errors.log"), read("messages.log"));
        assert_eq!(code, Some(0), "{errors}\n{messages}");
    }
}

fn script_path(name: &str) -> PathBuf {
    top().join("steps/tests/foreign").join(name)
}

/// One HTTP exchange on a connection of its own: status and body.
async fn http(at: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = soon("connection", TcpStream::connect(at)).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("answer", stream.read_to_string(&mut answer))
        .await
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

async fn server(transport: &str) -> Ready {
    let words = ["server", "broadsoft", "--user", "2001:secret"];
    let places = ["--bind", "127.0.0.1:0", "--control", "127.0.0.1:0"];
    let transport = ["--transport", transport];
    let server = Ready::start(&[&words[..], &places, &transport].concat()).await;
    assert_eq!(server.line["users"], serde_json::json!(["2001"]));
    server
}

/// Registers, subscribes, changes and un-subscribes with a foreign phone over this transport.
async fn serves_a_foreign_phone(transport: &str, sipp_mode: &str) {
    let server = server(transport).await;
    let (sip, control) = (server.address("sip").to_string(), server.address("control"));
    let (bell, one) = (Bell::new().await, ["-m", "1"]);
    let port = bell.port();
    let mode = ["-t", sipp_mode, "-key", "bell", &port, sip.as_str()];
    let Some(phone) = Sipp::start("phone.xml", &[&one[..], &mode].concat()) else {
        return;
    };
    bell.rings("changed").await;
    let (status, document) = http(control, "GET", XSI_DND, "").await;
    assert_eq!(status, 200);
    assert!(document.contains("<active>true</active>"), "{document}");
    let off = "<DoNotDisturb xmlns=\"http://schema.broadsoft.com/xsi\"><active>false</active></DoNotDisturb>";
    let (status, answer) = http(control, "PUT", XSI_DND, off).await;
    assert_eq!(status, 200, "{answer}");
    phone.succeeds().await;
    let (_, users) = http(control, "GET", "/control/users", "").await;
    let users: Value = serde_json::from_str(&users).unwrap();
    assert_eq!(users[0]["bindings"].as_array().unwrap().len(), 1);
    assert_eq!(users[0]["subscriptions"], serde_json::json!([]));
    server.end().await;
}

#[tokio::test]
async fn the_server_serves_a_foreign_phone_over_udp() {
    serves_a_foreign_phone("udp", "u1").await;
}

#[tokio::test]
async fn the_server_serves_a_foreign_phone_over_tcp() {
    serves_a_foreign_phone("udp,tcp", "t1").await;
}

#[tokio::test]
async fn the_control_interface_changes_services_and_refuses_nonsense() {
    let server = server("udp").await;
    let control = server.address("control");
    let path = XSI_DND.replace("DoNotDisturb", "CallForwardingNoAnswer");
    let root = "CallForwardingNoAnswer";
    let document = format!(
        "<{root} xmlns=\"http://schema.broadsoft.com/xsi\"><active>true</active>\
         <forwardToPhoneNumber>2424</forwardToPhoneNumber><numberOfRings>4</numberOfRings></{root}>"
    );
    assert_eq!(http(control, "PUT", &path, &document).await.0, 200);
    let (status, document) = http(control, "GET", &path, "").await;
    assert_eq!(status, 200);
    for part in [">true<", ">2424<", ">4<"] {
        assert!(document.contains(part), "{part}: {document}");
    }
    assert_eq!(http(control, "PUT", &path, "<nonsense/>").await.0, 400);
    let nobody = path.replace("2001", "2999");
    assert_eq!(http(control, "GET", &nobody, "").await.0, 404);
    assert_eq!(http(control, "DELETE", &path, "").await.0, 405);
    let (status, answer) = http(
        control,
        "POST",
        "/control/faults",
        "{\"action\": {\"do\": \"sing\"}}",
    )
    .await;
    assert_eq!(status, 400);
    assert!(answer.contains("sing"), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn a_fault_loaded_over_http_meets_a_foreign_phone() {
    let server = server("udp").await;
    let (sip, control) = (server.address("sip").to_string(), server.address("control"));
    let fault = r#"{"on": {"method": "SUBSCRIBE"}, "times": 1,
        "action": {"do": "answer", "code": 489, "headers": [["Allow-Events", "presence"]]}}"#;
    let (status, answer) = http(control, "POST", "/control/faults", fault).await;
    assert_eq!(status, 201, "{answer}");
    let (status, plan) = http(control, "GET", "/control/faults", "").await;
    assert_eq!(status, 200);
    assert!(plan.contains("489"), "{plan}");
    let Some(phone) = Sipp::start("refused_phone.xml", &["-m", "1", &sip]) else {
        return;
    };
    phone.succeeds().await;
    assert_eq!(http(control, "DELETE", "/control/faults", "").await.0, 204);
    assert_eq!(http(control, "GET", "/control/faults", "").await.1, "[]");
    server.end().await;
}

/// The serial console of an emulated base, over TCP.
struct Console(BufReader<TcpStream>);

impl Console {
    /// Opens it and logs in.
    async fn open(at: SocketAddr) -> Self {
        let stream = soon("console", TcpStream::connect(at)).await.unwrap();
        let mut console = Self(BufReader::new(stream));
        console.enter("").await;
        console.says("login: ").await;
        console.enter("admin").await;
        console.says("Password: ").await;
        console.enter("admin").await;
        console.says("n870> ").await;
        console
    }

    async fn enter(&mut self, text: &str) {
        let line = format!("{text}\r");
        self.0.write_all(line.as_bytes()).await.unwrap();
    }

    /// Reads until this text has come, and gives all that came.
    async fn says(&mut self, text: &str) -> String {
        let mut heard = Vec::new();
        let listen = async {
            while !String::from_utf8_lossy(&heard).contains(text) {
                let byte = self.0.read_u8().await.unwrap();
                heard.push(byte);
            }
        };
        soon(text, listen).await;
        String::from_utf8_lossy(&heard).into_owned()
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

#[tokio::test]
async fn the_base_works_with_a_foreign_server() {
    let folder = tempfile::tempdir().unwrap();
    let (bell, port) = (Bell::new().await, free_port().to_string());
    let bell_port = bell.port();
    let words = ["-m", "2", "-p", &port, "-key", "bell", &bell_port];
    let Some(foreign) = Sipp::start("application_server.xml", &words) else {
        return;
    };
    let provisioning = fs::read_to_string(script_path("provisioning.xml")).unwrap();
    let file = folder.path().join("base.xml");
    fs::write(&file, provisioning.replace("PORT", &port)).unwrap();
    let words = ["base", "n870", "--provisioning", file.to_str().unwrap()];
    let places = ["--bind", "127.0.0.1", "--console", "tcp://127.0.0.1:0"];
    let mut base = Ready::start(&[&words[..], &places].concat()).await;
    assert_eq!(base.line["handsets"][0]["ipui"], "029e74a599");
    assert_eq!(
        base.line["handsets"][0]["account"],
        "sip:2001@foreign.example"
    );
    bell.rings("synchronised").await;

    let mut console = Console::open(base.address("console")).await;
    console.enter("handset 029e74a599 display").await;
    let screen = console.says("\r\nend").await;
    assert!(!screen.contains("line Do Not Disturb"), "{screen}");
    console
        .enter("handset 029e74a599 key menu ok ok right soft-right")
        .await;
    // The editor follows the server's answer; then the idle screen shows it too.
    console.says("[\"Status: On\"]").await;
    console.enter("handset 029e74a599 key end").await;
    console
        .says("\"lines\":[\"Anna\",\"Do Not Disturb\"]")
        .await;

    // Shutting down cleanly, the base unsubscribes and de-registers.
    base.terminate();
    assert_eq!(exit_code(&mut base.child).await, Some(0));
    foreign.succeeds().await;
}

#[tokio::test]
async fn a_base_and_a_server_that_cannot_bind_say_where() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap().to_string();
    let mut command = lockstep(&["server", "broadsoft", "--user", "a:b", "--bind", &place]);
    let output = soon("end", command.output()).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(&place), "{text}");
    let file = script_path("provisioning.xml");
    let file = file.to_str().unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = lockstep(&["base", "n870", "--provisioning", file, "--port", &port]);
    let output = soon("end", command.output()).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(&place), "{text}");
}
