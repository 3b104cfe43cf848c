//! Messages for the tests, as short as the grammar allows.

use sip::message::{Builder, Message, Method};
use sip::node::{Flow, Transport};
use sip::time::Instant;
use std::time::Duration;

pub(crate) fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        local: "10.0.0.1:5060".parse().unwrap(),
        remote: "10.0.0.2:5060".parse().unwrap(),
    }
}

/// A request with the headers that matching looks at.
pub(crate) fn request(method: &Method, branch: &str, cseq: u32) -> Message {
    request_from(method, branch, cseq, "10.0.0.2:5060")
}

pub(crate) fn request_from(method: &Method, branch: &str, cseq: u32, sent_by: &str) -> Message {
    let in_cseq = match method {
        Method::Ack => "ACK",
        other => other.as_str(),
    };
    Builder::request(method, "sip:anna@example.com")
        .header(
            "Via",
            &format!("SIP/2.0/UDP {sent_by};rport;branch={branch}"),
        )
        .header("Via", "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKolder")
        .header("Max-Forwards", "70")
        .header("Route", "<sip:10.0.0.8;lr>")
        .header("From", "<sip:anna@example.com>;tag=anna")
        .header("To", "<sip:anna@example.com>")
        .header("Call-ID", "call-1")
        .header("CSeq", &format!("{cseq} {in_cseq}"))
        .build()
        .unwrap()
}

/// A response to it.
pub(crate) fn response(request: &Message, code: u16) -> Message {
    Builder::response_to(request, code, "Reason", Some("as"))
        .build()
        .unwrap()
}
