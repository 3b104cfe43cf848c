//! The user agent against raw SIP texts on virtual time.

mod calls;
mod change;
mod line;
mod notify;
mod packages;
mod registration;
mod subscription;

use sip::message::Message;

const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"BroadWorks\",qop=\"auth\",algorithm=MD5,nonce=\"n1\"\r\n";
const OTHER_CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"BroadWorks\",qop=\"auth\",algorithm=MD5,nonce=\"n2\"\r\n";
const STALE: &str =
    "WWW-Authenticate: Digest realm=\"BroadWorks\",qop=\"auth\",stale=true,nonce=\"n3\"\r\n";

fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.wire()).into_owned()
}

/// The text with everything drawn by lot replaced.
fn masked(message: &Message) -> String {
    let mut text = text(message);
    for (value, mask) in [
        (message.branch(), "BRANCH"),
        (message.from_tag(), "TAG"),
        (Some(message.call_id()), "CALL-ID"),
    ] {
        text = text.replace(value.unwrap_or_default(), mask);
    }
    text
}

fn cseq(message: &Message) -> u32 {
    message.cseq().map_or(0, |(number, _)| number)
}
