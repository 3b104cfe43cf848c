//! One emulated base with thousands of handsets against the mock server, both the real program, over loopback UDP: how long
//! until all are synchronised, what was sent again, what was lost, and what each of the two holds in memory.
//!
//! `cargo bench -p steps --bench crowd`, or `-- 1000` for another number of handsets.
//!
//! The base is an N870 whose limits and pace are raised in a model file of its own. Both programs end when this one does.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(
    clippy::disallowed_methods,
    reason = "real programs run on the wall's time"
)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const HANDSETS: usize = 4_000;
/// First REGISTERs a second, and first SUBSCRIBEs.
const PACE: u32 = 1_500;
/// A base that is not up by then never is.
const LIMIT: Duration = Duration::from_secs(120);
const FIRST_USER: usize = 100_000;

fn main() {
    // `cargo bench` adds words of its own.
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let handsets = words.next().map_or(HANDSETS, |word| word.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let users = write(folder.path(), "users.txt", &users(handsets));
    let mut server = Program::start(&[
        "server",
        "broadsoft",
        "--bind",
        "127.0.0.1:0",
        "--users",
        &users,
    ]);
    let sip: SocketAddr = server.ready()["sip"].as_str().unwrap().parse().unwrap();
    let model = write(folder.path(), "crowd.toml", &model());
    let provisioning = write(folder.path(), "base.xml", &provisioning(handsets, sip));
    let began = Instant::now();
    let mut base = Program::start(&[
        "base",
        &model,
        "--provisioning",
        &provisioning,
        "--console",
        "tcp://127.0.0.1:0",
    ]);
    let ready = base.ready();
    let console = ready["console"]
        .as_str()
        .unwrap()
        .trim_start_matches("tcp://");
    let up = synchronised(console.parse().unwrap(), handsets, began);
    let lost = lost_datagrams();
    let both = [("base", &base), ("server", &server)];
    let told = both.map(|(who, program)| (who, program.memory(), program.sent_again()));
    println!("handsets             {handsets}, {PACE} REGISTERs a second");
    match up {
        Ok(took) => println!(
            "all synchronised     {:.2} s after the start",
            took.as_secs_f64()
        ),
        Err(some) => println!(
            "all synchronised     no: {some} within {} s",
            LIMIT.as_secs()
        ),
    }
    println!("lost by the system   {lost} datagrams of all programs");
    for (who, kilobytes, again) in told {
        let each = kilobytes * 1024 / handsets;
        println!("{who:6} sent again    {again} messages");
        println!("{who:6} in memory     {kilobytes} kB, {each} bytes a handset");
    }
}

/// Reads the console until every handset is synchronised; when, else how many are.
fn synchronised(console: SocketAddr, handsets: usize, began: Instant) -> Result<Duration, usize> {
    let mut up = BTreeSet::new();
    let mut reader = BufReader::new(TcpStream::connect(console).unwrap());
    let mut typed = String::new();
    while began.elapsed() < LIMIT {
        let left = LIMIT
            .saturating_sub(began.elapsed())
            .max(Duration::from_millis(1));
        reader.get_ref().set_read_timeout(Some(left)).unwrap();
        typed.clear();
        if reader.read_line(&mut typed).unwrap_or(0) == 0 {
            break;
        }
        let words: Vec<&str> = typed.split_whitespace().collect();
        if let [.., "sip", handset, "synchronised"] = words.as_slice() {
            up.insert((*handset).to_owned());
            if up.len() == handsets {
                return Ok(began.elapsed());
            }
        }
    }
    Err(up.len())
}

fn users(handsets: usize) -> String {
    format!("{FIRST_USER}-{}:secret\n", FIRST_USER + handsets - 1)
}

/// The shipped model with other limits and another pace.
fn model() -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-stubs/models/n870.toml");
    let mut text = std::fs::read_to_string(shipped).unwrap();
    for (key, value) in [
        ("handsets = ", "100000"),
        ("provisioning-file = ", "1073741824"),
        ("registers-a-second = ", &PACE.to_string()),
        ("subscribes-a-second = ", &PACE.to_string()),
        ("longest-spread = ", "600.0"),
    ] {
        let at = text.find(&format!("\n{key}")).unwrap() + 1 + key.len();
        let end = at + text[at..].find([' ', '\n']).unwrap();
        text.replace_range(at..end, value);
    }
    text
}

fn provisioning(handsets: usize, server: SocketAddr) -> String {
    let (ip, port) = (server.ip(), server.port());
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<provisioning version=\"1.1\" productID=\"e2\">\n<nvm>\n",
    );
    let param = |text: &mut String, name: &str, value: &str| {
        writeln!(text, "<param name=\"{name}\" value=\"{value}\"/>").unwrap();
    };
    for (field, value) in [
        ("Domain", ip.to_string()),
        ("ProxyServerAddress", ip.to_string()),
        ("ProxyServerPort", port.to_string()),
        ("RegServerAddress", ip.to_string()),
        ("RegServerPort", port.to_string()),
        ("TransportProtocol", "1".to_owned()),
    ] {
        param(&mut text, &format!("SipProvider.0.{field}"), &value);
    }
    for number in 0..handsets {
        let (ipui, user) = (format!("02{number:08x}"), (FIRST_USER + number).to_string());
        writeln!(
            text,
            "<oper value=\"{ipui}\" name=\"add_hs\"><param name=\"hs.RegStatus\" value=\"ToReg\"/></oper>"
        )
        .unwrap();
        for (field, value) in [
            ("AuthName", user.as_str()),
            ("AuthPassword", "secret"),
            ("UserName", &user),
            ("DisplayName", &user),
            ("ProviderId", "0"),
            ("FeatureKeySyncActive", "1"),
        ] {
            param(&mut text, &format!("SipAccount.{ipui}.{field}"), value);
        }
    }
    text.push_str("</nvm></provisioning>\n");
    text
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// Datagrams that the system has dropped for want of room, of every socket that is open now.
fn lost_datagrams() -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let drops = |line: &str| line.split_whitespace().last()?.parse::<u64>().ok();
    table.lines().skip(1).filter_map(drops).sum()
}

/// One of the two programs; it ends with this value.
struct Program {
    child: Child,
    /// How many messages it says it has sent again.
    again: Arc<AtomicUsize>,
}

impl Program {
    fn start(words: &[&str]) -> Self {
        let program =
            std::env::var_os("LOCKSTEP").unwrap_or_else(|| env!("CARGO_BIN_EXE_lockstep").into());
        let mut child = Command::new(program)
            .args(words)
            .env("LOCKSTEP_LOG", "wire=debug")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let again = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&again);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.contains("sip sent again") {
                    counted.fetch_add(1, Ordering::Relaxed);
                } else if line.contains("WARN") {
                    println!("{line}");
                }
            }
        });
        Self { child, again }
    }

    /// Its first line, and its only one.
    fn ready(&mut self) -> Value {
        let mut line = String::new();
        let out = self.child.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Kilobytes in memory.
    fn memory(&self) -> usize {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().trim().trim_end_matches(" kB");
        number.parse().unwrap()
    }

    fn sent_again(&self) -> usize {
        self.again.load(Ordering::Relaxed)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
