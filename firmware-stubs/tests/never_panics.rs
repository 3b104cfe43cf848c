//! Whatever comes in on a face of a base, it goes on working.

mod support;

use bytes::Bytes;
use firmware_stubs::provisioning::Document;
use proptest::prelude::*;
use sip::node::{Flow, Input, Transport};
use support::{ANNA, Table, two_handsets};

const WORDS: &[&str] = &[
    "handset",
    ANNA,
    "display",
    "key",
    "menu",
    "ok",
    "up",
    "down",
    "left",
    "right",
    "back",
    "end",
    "talk",
    "clear",
    "soft-left",
    "soft-right",
    "1",
    "*",
    "#",
    "\r",
    "\n",
    "log",
    "on",
    "off",
    "provision",
    "reboot",
    "logout",
    "admin",
    "version",
    "list",
    "\u{7f}",
    "\u{3}",
];

const KEYS: &[&str] = &[
    "menu",
    "up",
    "down",
    "left",
    "right",
    "ok",
    "back",
    "end",
    "talk",
    "clear",
    "soft-left",
    "soft-right",
    "0",
    "9",
    "*",
    "#",
];

fn still_works(table: &mut Table) {
    table.run_for(std::time::Duration::from_secs(2));
    table.console.clear();
    // Whatever is open, a name, a password, a command: what was typed of it is thrown away, for it may say `reboot`.
    table.type_in("\x15\r\r\rlogout\r\r\r");
    table.type_in("admin\radmin\r");
    let text = table.type_in("version\r");
    assert!(text.ends_with("n870> "), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_on_the_console(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let mut table = Table::running(&two_handsets("1"));
        for piece in pieces {
            table.input(Input::Console(Bytes::from(piece)));
        }
        still_works(&mut table);
    }

    #[test]
    fn any_commands_on_the_console(words in prop::collection::vec(prop::sample::select(WORDS), 0..80)) {
        let mut table = Table::running(&two_handsets("1"));
        table.type_in("admin\radmin\r");
        for word in words {
            table.type_in(&format!("{word} "));
        }
        still_works(&mut table);
    }

    #[test]
    fn any_keys_at_a_handset(keys in prop::collection::vec(prop::sample::select(KEYS), 0..120), flag in 0..2u8) {
        let mut table = Table::running(&two_handsets(&flag.to_string()));
        table.type_in("admin\radmin\r");
        for key in keys {
            let text = table.type_in(&format!("handset {ANNA} key {key}\r"));
            prop_assert!(text.contains("\r\nok\r\nn870> "), "{text}");
        }
        let text = table.type_in(&format!("handset {ANNA} key end\rhandset {ANNA} display\r"));
        prop_assert!(text.contains("line   Anna"), "{text}");
    }

    #[test]
    fn any_bytes_on_sip(bytes in prop::collection::vec(any::<u8>(), 0..200), reliable in any::<bool>()) {
        let mut table = Table::running(&two_handsets("1"));
        let flow = Flow {
            transport: if reliable { Transport::Tcp } else { Transport::Udp },
            local: "127.0.0.2:5060".parse().unwrap(),
            remote: "127.0.0.1:5060".parse().unwrap(),
        };
        table.input(Input::Sip { flow, bytes: Bytes::from(bytes) });
        table.input(Input::FlowClosed { flow });
        still_works(&mut table);
    }

    #[test]
    fn any_web_request(path in "/[a-z/0-9.%]{0,40}", body in "\\PC{0,60}") {
        let mut table = Table::running(&two_handsets("1"));
        let token = table.web_login();
        for method in ["GET", "POST", "DELETE"] {
            let (status, _) = table.web(method, &path, &token, &body);
            prop_assert!((100..500).contains(&status), "{method} {path} {status}");
        }
    }

    #[test]
    fn any_provisioning_file(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::parse(&bytes, 100);
    }

    #[test]
    fn a_provisioning_file_with_one_byte_changed(at in 0usize..2000, byte in any::<u8>()) {
        let mut bytes = two_handsets("1").into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut table = Table::running(&text);
        still_works(&mut table);
    }
}
