//! An emulated base on real wires: it says where it listens, can be reached there, and shuts down cleanly.
#![cfg(feature = "shell")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use firmware_stubs::Model;
use firmware_stubs::shell::{ConsoleSpec, Ending, ShellOptions, run_until};
use serde_json::Value;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);
const MAC: &str = "7c2f80aabbcc";

/// Passes what is written on.
struct Lines(mpsc::UnboundedSender<u8>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            self.0.send(*byte).map_err(std::io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn line(heard: &mut mpsc::UnboundedReceiver<u8>) -> String {
    let mut line = Vec::new();
    loop {
        match timeout(LIMIT, heard.recv()).await.unwrap().unwrap() {
            b'\n' => return String::from_utf8(line).unwrap(),
            byte => line.push(byte),
        }
    }
}

fn options(provisioning: &Path) -> ShellOptions {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    ShellOptions {
        model: Model::built_in("n870").unwrap(),
        mutant: None,
        mac: MAC.to_owned(),
        provisioning: provisioning.display().to_string(),
        sip: free,
        console: Some(ConsoleSpec::Tcp(free)),
        web: Some(free),
        seed: 1,
    }
}

/// A provisioning document with one handset at a server that does not answer.
const DOCUMENT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<provisioning version="1.1" productID="e2">
<nvm>
<oper value="029e74a599" name="add_hs"><param name="hs.RegStatus" value="ToReg"/></oper>
<param name="SipProvider.0.Name" value="lab"/>
<param name="SipProvider.0.Domain" value="lockstep.example"/>
<param name="SipProvider.0.ProxyServerAddress" value="127.0.0.1"/>
<param name="SipProvider.0.ProxyServerPort" value="9"/>
<param name="SipProvider.0.RegServerAddress" value="127.0.0.1"/>
<param name="SipProvider.0.RegServerPort" value="9"/>
<param name="SipAccount.029e74a599.AuthName" value="anna"/>
<param name="SipAccount.029e74a599.AuthPassword" value="secret"/>
<param name="SipAccount.029e74a599.UserName" value="anna"/>
<param name="SipAccount.029e74a599.DisplayName" value="Anna"/>
<param name="SipAccount.029e74a599.ProviderId" value="0"/>
</nvm>
</provisioning>
"#;

#[tokio::test]
async fn a_base_says_where_it_is_can_be_reached_there_and_ends_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    // A file of any name will do.
    let file = folder.path().join("my base");
    std::fs::write(&file, DOCUMENT).unwrap();
    let (written, mut heard) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let base = tokio::spawn(async move {
        let mut ready = Lines(written);
        let stopped = async {
            let _ = stopped.await;
        };
        run_until(options(&file), stopped, &mut ready).await
    });
    let ready: Value = serde_json::from_str(&line(&mut heard).await).unwrap();
    assert_eq!(ready["handsets"][0]["ipui"], "029e74a599");
    assert_eq!(ready["handsets"][0]["account"], "sip:anna@lockstep.example");
    let sip: SocketAddr = ready["sip"].as_str().unwrap().parse().unwrap();
    assert_ne!(sip.port(), 0);

    let console = ready["console"].as_str().unwrap();
    let mut console = TcpStream::connect(console.strip_prefix("tcp://").unwrap())
        .await
        .unwrap();
    console.write_all(b"\r").await.unwrap();
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("n870 login: ") {
        let mut piece = [0; 256];
        let size = timeout(LIMIT, console.read(&mut piece)).await.unwrap();
        shown.extend_from_slice(&piece[..size.unwrap()]);
    }

    let web = format!("http://{}/api/device", ready["web"].as_str().unwrap());
    let request = http::Request::get(web).body(bytes::Bytes::new()).unwrap();
    let fetcher = wire::fetch::Fetcher::new().unwrap();
    let answer = timeout(LIMIT, fetcher.fetch(request)).await.unwrap();
    assert_eq!(answer.unwrap().status(), 401);

    stop.send(()).unwrap();
    let ending = timeout(LIMIT, base).await.unwrap().unwrap().unwrap();
    // Nobody answers its REGISTER, so it may also be given up.
    assert!(matches!(ending, Ending::Complete | Ending::Abandoned));
}

#[tokio::test]
async fn a_missing_provisioning_file_is_named() {
    let mut ready = Vec::new();
    let nowhere = Path::new("/no/such/file.xml");
    let error = run_until(options(nowhere), async {}, &mut ready)
        .await
        .unwrap_err();
    let expected = "cannot read provisioning /no/such/file.xml:";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert!(ready.is_empty());
}

#[tokio::test]
async fn a_base_without_its_file_is_ready_with_no_handset() {
    let folder = tempfile::tempdir().unwrap();
    let (written, mut heard) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let options = options(folder.path());
    let base = tokio::spawn(async move {
        let mut ready = Lines(written);
        let stopped = async {
            let _ = stopped.await;
        };
        run_until(options, stopped, &mut ready).await
    });
    let ready: Value = serde_json::from_str(&line(&mut heard).await).unwrap();
    assert_eq!(ready["handsets"].as_array().unwrap().len(), 0);
    stop.send(()).unwrap();
    let ending = timeout(LIMIT, base).await.unwrap().unwrap().unwrap();
    assert_eq!(ending, Ending::Complete);
}
