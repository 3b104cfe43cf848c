//! Readers of outside bytes never panic, whatever they are given.

use evidence::body::{CONTENT_TYPE, Reading};
use evidence::capture::{Base, read, to_pcapng};
use evidence::log::{Log, Stamp};
use evidence::monitor::Monitor;
use evidence::provisioning::Provisioning;
use evidence::record::{Direction, Fate, Observation, Parsed, Sip};
use evidence::xml::Element;
use proptest::prelude::*;
use std::path::Path;

const BASE: Base = Base {
    ip: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    port: None,
};

/// Text made of the pieces that matter to the readers.
fn broken(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(pieces).prop_map(str::to_owned),
        "[ -~\r\n]{0,8}"
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

const XML: &[&str] = &[
    "<ForwardingEvent xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">",
    "<forwardingType>forwardBusy</forwardingType>",
    "</ForwardingEvent>",
    "<?xml version='1.0'?>",
    "<!DOCTYPE a>",
    "<![CDATA[",
    "]]>",
    "&amp;",
    "&#0;",
    "<a:b",
    "/>",
    "--B\r\n",
    "\r\n\r\n",
    "--B--",
    "<provisioning>",
    "<nvm>",
    "<param name=\"SipAccount.1.UserName\" value=\"2\"/>",
    "</nvm></provisioning>",
];

const SIP: &[&str] = &[
    "NOTIFY sip:1001@a SIP/2.0\r\n",
    "SUBSCRIBE sip:1001@a SIP/2.0\r\n",
    "SIP/2.0 200 OK\r\n",
    "SIP/2.0 401 No\r\n",
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n",
    "CSeq: 1 SUBSCRIBE\r\n",
    "CSeq: 4294967295 NOTIFY\r\n",
    "From: <sip:1001@a>;tag=t\r\n",
    "To: <sip:1001@a>;tag=t\r\n",
    "Call-ID: c\r\n",
    "Event: as-feature-event\r\n",
    "Expires: 4294967295\r\n",
    "Subscription-State: active;expires=18446744073709551615\r\n",
    "WWW-Authenticate: Digest nonce=\"\r\n",
    "Content-Type: multipart/mixed;boundary=B\r\n",
    "Contact: <sip:1001@b>;expires=18446744073709551615\r\n",
    "Content-Length: 0\r\n",
    "\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_of_any_text_are_read_or_refused(text in broken(XML)) {
        let _ = Element::parse(text.as_bytes());
        let _ = Provisioning::parse(&text);
        let _ = Reading::of(Some(CONTENT_TYPE), text.as_bytes());
        let _ = Reading::of(Some("multipart/mixed;boundary=B"), text.as_bytes());
    }

    #[test]
    fn documents_of_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Element::parse(&bytes);
        let _ = Reading::of(Some(CONTENT_TYPE), &bytes);
        let _ = Reading::of(Some("multipart/mixed;boundary=\"-\""), &bytes);
        let _ = read(&bytes, BASE);
    }

    #[test]
    fn captures_with_any_damage_are_read_or_refused(
        place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()
    ) {
        let stage = crate::stage::Stage::synced();
        let mut capture = to_pcapng(stage.log.records()).unwrap();
        *place.get_mut(&mut capture) = byte;
        capture.truncate(cut.index(capture.len()) + 1);
        let _ = read(&capture, BASE);
    }

    #[test]
    fn logs_of_any_text_are_read_or_refused(text in ".{0,200}") {
        let _ = Log::parse(&text, Path::new("log"));
    }

    #[test]
    fn the_monitor_survives_any_sip(
        messages in prop::collection::vec((broken(SIP), any::<bool>(), 0..100_000_000_u64), 0..12)
    ) {
        let mut monitor = Monitor::new();
        let mut log = Log::new();
        let mut at = 0;
        for (text, outward, later) in messages {
            at += later;
            let (direction, fate) = if outward {
                (Direction::FromBase, Fate::Sent)
            } else {
                (Direction::ToBase, Fate::Delivered)
            };
            let sip = Sip {
                direction,
                fate,
                transport: "UDP".to_owned(),
                source: "127.0.0.1:5060".parse().unwrap(),
                destination: "127.0.0.2:5060".parse().unwrap(),
                bytes: text.into_bytes().into(), parsed: Parsed::default(),
            };
            monitor.observe(log.append(Stamp::at(at), Observation::Sip(sip)));
        }
        monitor.finish(at);
    }
}
