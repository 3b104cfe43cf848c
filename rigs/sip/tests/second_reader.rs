//! What rsip reads and our reader reads, over messages of every kind: they agree, or the list of limits says why not.
//!
//! Each limit has a message here that meets this one and no other; when rsip learns to read it, the test that names it
//! fails and the entry goes.

use bytes::Bytes;
use proptest::option;
use proptest::prelude::*;
use sip::message::{Builder, Message, Method};
use sip::second_reader::{Comparison, Difference, LIMITS, Subject, compare};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A NOTIFY that both readers read the same.
const PLAIN: &str = "NOTIFY sip:2424@192.0.2.10:5060;transport=udp SIP/2.0\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\n\
    Via: SIP/2.0/TCP as.example;branch=z9hG4bK0\n\
    From: \"Anna, Base\" <sip:2424@as.example;user=phone>;tag=a1\n\
    To: sip:2424@as.example;tag=b2\n\
    Call-ID: 1@as.example\n\
    CSeq: 101 NOTIFY\n\
    Contact: <sip:as.example:5060;lr>;expires=90\n\
    Expires: 3600\n\
    Content-Length: 0\n\n";

/// For each limit a change to [`PLAIN`]: this text there becomes that.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("empty-lines-first", "NOTIFY sip", "\nNOTIFY sip"),
    ("folding", "CSeq: 101 ", "CSeq: 101\n "),
    ("space-before-colon", "CSeq:", "CSeq :"),
    ("version-in-lower-case", " SIP/2.0", " sip/2.0"),
    ("extension-method", "NOTIFY", "DANCE"),
    ("ipv6-reference", "192.0.2.1:5060", "[2001:db8::1]:5060"),
    (
        "other-scheme",
        "To: sip:2424@as.example",
        "To: <tel:+49-30>",
    ),
    ("dot-in-user", "NOTIFY sip:2424@", "NOTIFY sip:anna.base@"),
    ("uri-headers", "5060;lr", "5060;lr?Replaces=1"),
    ("list", "expires=90", "expires=90, <sip:b.example>"),
    ("white-space", ";branch", " ;branch"),
    ("quoted-bracket", "Anna, Base", "Anna <at home> Base"),
    (
        "parameter-no-token",
        "expires=90",
        "+sip.instance=\"<urn:uuid:1>\"",
    ),
    ("unknown-transport", "2.0/UDP", "2.0/DTLS"),
    ("compact-name", "To:", "t:"),
    ("method-in-lower-case", "101 NOTIFY", "101 notify"),
    ("length-unchecked", "Length: 0", "Length: 9"),
    ("lone-line-end", "1@as", "1\r@as"),
    ("unended-head", "\n\n", "\n"),
    ("other-version", " SIP/2.0", " SIP/2.1"),
    (
        "no-scheme",
        "NOTIFY sip:2424@192.0.2.10:5060",
        "NOTIFY as.example",
    ),
    // Responses.
    ("no-blank-behind-the-code", FIRST, "SIP/2.0 200"),
    ("code-out-of-range", FIRST, "SIP/2.0 700 OK"),
    ("blanks-before-the-code", FIRST, "SIP/2.0  200 OK"),
];

const FIRST: &str = "NOTIFY sip:2424@192.0.2.10:5060;transport=udp SIP/2.0";

fn wire(text: &str) -> Bytes {
    text.replace('\n', "\r\n").into()
}

fn read_twice(wire: &Bytes) -> Comparison {
    let ours = Message::parse(wire.clone()).ok();
    compare(wire, ours.as_ref())
}

fn differences(comparison: Comparison) -> Vec<Difference> {
    match comparison {
        Comparison::Disagreement(disagreement) => disagreement.differences,
        _ => Vec::new(),
    }
}

#[test]
fn a_plain_message_is_read_the_same_twice() {
    assert_eq!(read_twice(&wire(PLAIN)), Comparison::Agreement);
    let answer = PLAIN.replace(FIRST, "SIP/2.0 481 No such call");
    assert_eq!(read_twice(&wire(&answer)), Comparison::Agreement);
    assert_eq!(read_twice(&wire("\n\n")), Comparison::Agreement);
}

#[test]
fn every_limit_has_a_message_that_meets_it_alone() {
    let sampled: Vec<&str> = SAMPLES.iter().map(|(name, _, _)| *name).collect();
    for limit in LIMITS {
        assert!(
            sampled.contains(&limit.name),
            "no message for {}",
            limit.name
        );
    }
    assert_eq!(sampled.len(), LIMITS.len());
    for (name, from, to) in SAMPLES {
        let text = PLAIN.replacen(from, to, 1);
        assert_ne!(text, PLAIN, "{name}");
        match read_twice(&wire(&text)) {
            Comparison::Unread(limits) => {
                let names: Vec<&str> = limits.iter().map(|limit| limit.name).collect();
                assert_eq!(names, [*name]);
            }
            other => panic!("{name}: rsip has changed, or we have: {other:?}"),
        }
    }
}

#[test]
fn a_message_read_from_other_bytes_is_a_disagreement_in_each_subject() {
    let sent = wire(PLAIN);
    for (subject, from, to) in [
        (Subject::Method, "NOTIFY sip", "INFO sip"),
        (Subject::RequestUri, "2424@192.0.2.10", "2425@192.0.2.10"),
        (Subject::RequestUri, "192.0.2.10:5060", "192.0.2.10:5061"),
        (Subject::CallId, "1@as", "2@as"),
        (Subject::CSeq, "101 ", "102 "),
        (Subject::CSeq, "101 NOTIFY", "101 INFO"),
        (Subject::FromTag, "tag=a1", "tag=a2"),
        (Subject::ToTag, ";tag=b2", ""),
        (
            Subject::Contacts,
            "<sip:as.example:5060",
            "<sip:as.example:5070",
        ),
        (Subject::Contacts, "5060;lr", "5060"),
        (Subject::Expires, "3600", "360"),
        (Subject::Branch, "z9hG4bK1", "z9hG4bK0"),
    ] {
        let planted = Message::parse(wire(&PLAIN.replacen(from, to, 1))).unwrap();
        let found = differences(compare(&sent, Some(&planted)));
        let subjects: Vec<Subject> = found.iter().map(|difference| difference.subject).collect();
        assert_eq!(subjects, [subject], "{from} as {to}");
    }
    let subjects = |found: Vec<Difference>| -> Vec<Subject> {
        found
            .into_iter()
            .map(|difference| difference.subject)
            .collect()
    };
    let answer = Message::parse(wire(&PLAIN.replace(FIRST, "SIP/2.0 200 OK"))).unwrap();
    let found = subjects(differences(compare(&sent, Some(&answer))));
    assert_eq!(
        found,
        [Subject::Status, Subject::Method, Subject::RequestUri]
    );
    assert_eq!(
        subjects(differences(compare(&sent, None))),
        [Subject::Acceptance]
    );
    let found = differences(compare(b"NOTIFY nothing at all\r\n\r\n", Some(&answer)));
    assert_eq!(subjects(found), [Subject::Refusal]);
}

#[test]
fn a_disagreement_tells_both_readings() {
    let planted = Message::parse(wire(&PLAIN.replace("101 ", "102 "))).unwrap();
    let Comparison::Disagreement(told) = compare(&wire(PLAIN), Some(&planted)) else {
        panic!("no disagreement");
    };
    assert_eq!(
        told.to_string(),
        "the CSeq: our reader says `102 NOTIFY`, rsip says `101 NOTIFY`"
    );
}

/// What rsip cannot read and our own check objects to is wrong for both; what rsip reads is not excused by our objection.
#[test]
fn what_both_object_to_is_no_disagreement() {
    let broken = PLAIN.replacen("SIP/2.0/UDP", "SIP/.0/UDP", 1);
    assert_eq!(read_twice(&wire(&broken)), Comparison::Agreement);
    let quoted = PLAIN.replace("sip:2424@as.example;tag=b2", "sip:2424\"@as.example;tag=b2");
    let found = differences(read_twice(&wire(&quoted)));
    let subjects: Vec<Subject> = found.iter().map(|difference| difference.subject).collect();
    assert_eq!(subjects, [Subject::ToTag], "{found:?}");
}

/// A limit explains what it is recognised in, and nothing beside it.
#[test]
fn a_limit_in_one_header_excuses_no_other() {
    let sent = PLAIN.replace("expires=90", "+sip.instance=\"<urn:uuid:1>\"");
    let planted = Message::parse(wire(&sent.replace("tag=a1", "tag=a2"))).unwrap();
    let found = differences(compare(&wire(&sent), Some(&planted)));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].subject, Subject::FromTag);
}

#[test]
fn the_texts_of_others_are_read_the_same_but_for_the_limits() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let mut unexplained = Vec::new();
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let mut agreed = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        match read_twice(&std::fs::read(&path).unwrap().into()) {
            Comparison::Agreement => agreed += 1,
            Comparison::Unread(limits) => {
                for limit in limits {
                    *met.entry(limit.name).or_default() += 1;
                }
            }
            Comparison::Disagreement(told) => unexplained.push(format!("{name}: {told}")),
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    assert!(agreed > 20, "{agreed} agreed, {met:?}");
}

const TOKEN: &str = "[A-Za-z0-9.!%*_+`'~-]{1,16}";

fn method() -> impl Strategy<Value = Method> {
    "(ACK|BYE|CANCEL|INFO|INVITE|MESSAGE|NOTIFY|OPTIONS|PRACK|PUBLISH|REFER|REGISTER|SUBSCRIBE|UPDATE|[A-Z]{3,8})"
        .prop_map(|name| Method::from_token(&name))
}

fn uri() -> impl Strategy<Value = String> {
    let user = "([A-Za-z0-9_!~*'()&=+$,;?/-]|%40|%23){1,10}@|([a-z]{1,5}\\.[a-z]{1,5}@)|[a-z0-9]{1,6}:[a-z0-9]{1,4}@|";
    let host = "([a-z][a-z0-9-]{0,6}\\.){0,2}[a-z]{1,6}|192\\.0\\.2\\.[1-9]|\\[2001:db8::[1-9]\\]";
    let port = option::of(1_u16..);
    let parameters = "(;transport=(udp|TCP|tls)|;lr|;user=phone|;ob|;gr=urn:uuid:[0-9a-f]{4}|;[a-z]{2,5}=[a-z0-9]{1,5}){0,3}";
    ("(sip|sips|SIP)", user, host, port, parameters).prop_map(
        |(scheme, user, host, port, parameters)| {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}:{user}{host}{port}{parameters}")
        },
    )
}

fn address() -> impl Strategy<Value = String> {
    let name = "|[A-Za-z]{1,6} |\"[A-Za-z ,;:<>@]{0,8}\" ";
    (name, uri()).prop_map(|(name, uri)| format!("{name}<{uri}>"))
}

fn contacts() -> impl Strategy<Value = Vec<String>> {
    let parameters =
        "(;expires=[0-9]{1,5}|;q=0\\.[0-9]|;\\+sip\\.instance=\"<urn:uuid:[0-9a-f]{4}>\"|;ob){0,2}";
    let one = (address(), parameters).prop_map(|(address, more)| format!("{address}{more}"));
    proptest::collection::vec(one, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_we_print_is_read_the_same_but_for_the_limits(
        method in method(),
        uri in uri(),
        status in option::of(100_u16..700),
        (from, to) in (address(), address()),
        (tag, to_tag) in (TOKEN, option::of(TOKEN)),
        branch in "z9hG4bK[A-Za-z0-9.!%*_+`'~-]{0,16}",
        call_id in "[A-Za-z0-9.!%*_+`'~()<>:/\\[\\]?{}-]{1,12}(@[a-z0-9.]{1,12})?",
        number in any::<u32>(),
        expires in option::of(any::<u32>()),
        contacts in contacts(),
        joined in any::<bool>(),
        body in "[ -~\r\n]{0,40}",
    ) {
        let mut builder = match status {
            Some(code) => Builder::response(code, "Reason, of sorts"),
            None => Builder::request(&method, &uri),
        };
        let to_tag = to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        builder = builder
            .header("Via", &format!("SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport"))
            .header("From", &format!("{from};tag={tag}"))
            .header("To", &format!("{to}{to_tag}"))
            .header("Call-ID", &call_id)
            .header("CSeq", &format!("{number} {method}"));
        if joined && !contacts.is_empty() {
            builder = builder.header("Contact", &contacts.join(", "));
        } else {
            builder = contacts.iter().fold(builder, |builder, one| builder.header("Contact", one));
        }
        if let Some(expires) = expires {
            builder = builder.header("Expires", &expires.to_string());
        }
        let message = builder.body("text/plain", body).build().unwrap();
        let read = compare(message.wire(), Some(&message));
        let told = format!("{read:?}");
        prop_assert!(!matches!(read, Comparison::Disagreement(_)), "{}\n{}", told, String::from_utf8_lossy(message.wire()));
    }
}
