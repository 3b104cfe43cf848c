//! Wire texts from outside, one message a file in `tests/wire`, each with the layer that has to object.
//!
//! * `rfc4475-*`: the 49 messages of RFC 4475 by their names there. The files are our own transcription, made from the
//!   sense of each test and not byte for byte: Call-IDs, tags, session descriptions and header order may differ where
//!   nothing depends on them, and the binary part of `mpart01` is ours.
//! * `rfc5118-*`: messages of RFC 5118 (IPv6), transcribed in the same way.
//! * the others: NOTIFYs in the form of four servers, after captures and sources described in the domain notes.
//!
//! The verdicts are written from the RFCs: a message that is valid there has no lint (`dblreq` has the one that tells
//! of the bytes behind it), an invalid one is refused or has a lint, and one that is left to upper layers is readable.

use bytes::Bytes;
use sip::message::address::Address;
use sip::message::stream::Framer;
use sip::message::{Message, ParseError};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Who objects.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// The parser, by this clause.
    Refused(&'static str),
    /// The check, by exactly these clauses; none for a sound message.
    Readable(&'static [&'static str]),
}

use Verdict::{Readable, Refused};

const SOUND: Verdict = Readable(&[]);

const TABLE: &[(&str, Verdict)] = &[
    // RFC 4475 §3.1.1: valid.
    ("rfc4475-wsinv", SOUND),
    ("rfc4475-intmeth", SOUND),
    ("rfc4475-esc01", SOUND),
    ("rfc4475-escnull", SOUND),
    ("rfc4475-esc02", SOUND),
    ("rfc4475-lwsdisp", SOUND),
    ("rfc4475-longreq", SOUND),
    ("rfc4475-dblreq", Readable(&["RFC 3261 §18.3"])),
    ("rfc4475-semiuri", SOUND),
    ("rfc4475-transports", SOUND),
    ("rfc4475-mpart01", SOUND),
    ("rfc4475-unreason", SOUND),
    ("rfc4475-noreason", SOUND),
    // RFC 4475 §3.1.2: invalid.
    (
        "rfc4475-badinv01",
        Readable(&["RFC 3261 §20.10", "RFC 3261 §20.42"]),
    ),
    ("rfc4475-clerr", Refused("RFC 3261 §18.3")),
    ("rfc4475-ncl", Refused("RFC 3261 §20.14")),
    (
        "rfc4475-scalar02",
        Readable(&[
            "RFC 3261 §20.10",
            "RFC 3261 §20.19",
            "RFC 3261 §20.22",
            "RFC 3261 §8.1.1.5",
        ]),
    ),
    (
        "rfc4475-scalarlg",
        Readable(&["RFC 3261 §20.33", "RFC 3261 §20.43", "RFC 3261 §8.1.1.5"]),
    ),
    ("rfc4475-quotbal", Readable(&["RFC 3261 §20.10"])),
    ("rfc4475-ltgtruri", Refused("RFC 3261 §7.1")),
    ("rfc4475-lwsruri", Refused("RFC 3261 §7.1")),
    ("rfc4475-lwsstart", Refused("RFC 3261 §7.1")),
    ("rfc4475-trws", Refused("RFC 3261 §7.1")),
    ("rfc4475-escruri", Readable(&["RFC 3261 §19.1.1"])),
    ("rfc4475-baddate", Readable(&["RFC 3261 §20.17"])),
    ("rfc4475-regbadct", Readable(&["RFC 3261 §20.10"])),
    ("rfc4475-badaspec", Readable(&["RFC 3261 §19.1.1"])),
    ("rfc4475-baddn", Readable(&["RFC 3261 §20.10"])),
    ("rfc4475-badvers", Refused("RFC 3261 §7.1")),
    ("rfc4475-mismatch01", Readable(&["RFC 3261 §8.1.1.5"])),
    ("rfc4475-mismatch02", Readable(&["RFC 3261 §8.1.1.5"])),
    ("rfc4475-bigcode", Refused("RFC 3261 §7.2")),
    // RFC 4475 §3.2 to §3.4: an upper layer decides. `mcl01` may be refused, for no reader can know its length.
    ("rfc4475-badbranch", Readable(&["RFC 3261 §8.1.1.7"])),
    ("rfc4475-insuf", Readable(&["RFC 3261 §8.1.1"])),
    ("rfc4475-unkscm", SOUND),
    ("rfc4475-novelsc", SOUND),
    ("rfc4475-unksm2", SOUND),
    ("rfc4475-bext01", SOUND),
    ("rfc4475-invut", SOUND),
    ("rfc4475-regaut01", SOUND),
    (
        "rfc4475-multi01",
        Readable(&[
            "RFC 3261 §20.16",
            "RFC 3261 §20.20",
            "RFC 3261 §20.22",
            "RFC 3261 §20.39",
            "RFC 3261 §20.8",
        ]),
    ),
    ("rfc4475-mcl01", Refused("RFC 3261 §20.14")),
    ("rfc4475-bcast", SOUND),
    ("rfc4475-zeromf", SOUND),
    ("rfc4475-cparam01", SOUND),
    ("rfc4475-cparam02", SOUND),
    ("rfc4475-regescrt", SOUND),
    ("rfc4475-sdp01", SOUND),
    (
        "rfc4475-inv2543",
        Readable(&["RFC 3261 §8.1.1", "RFC 3261 §8.1.1.3"]),
    ),
    // RFC 5118 §4.
    ("rfc5118-ipv6-good", SOUND),
    ("rfc5118-ipv6-bad", Readable(&["RFC 3261 §19.1.1"])),
    ("rfc5118-port-ambiguous", SOUND),
    ("rfc5118-port-unambiguous", SOUND),
    ("rfc5118-received-with-delimiters", SOUND),
    ("rfc5118-received-without-delimiters", SOUND),
    ("rfc5118-ipv6-in-sdp", SOUND),
    ("rfc5118-several-addresses-in-via", SOUND),
    ("rfc5118-several-addresses-in-sdp", SOUND),
    ("rfc5118-ipv4-mapped", SOUND),
    ("rfc5118-three-colons", SOUND),
    // Servers.
    ("asterisk-concatenated", SOUND),
    ("broadworks-delta", SOUND),
    ("broadworks-multipart", SOUND),
    ("freeswitch-end", SOUND),
    ("freeswitch-multipart", Readable(&["RFC 6665 §8.2.3"])),
    ("kamailio-dnd", SOUND),
    ("kamailio-forwarding", SOUND),
    ("kamailio-initial", SOUND),
    ("opensips-multipart", SOUND),
    ("opensips-multipart-2019", SOUND),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire")
}

fn wire(name: &str) -> Bytes {
    let path = folder().join(format!("{name}.sip"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .into()
}

fn parsed(name: &str) -> Result<Message, ParseError> {
    Message::parse(wire(name))
}

fn readable() -> impl Iterator<Item = (&'static str, Message)> {
    TABLE
        .iter()
        .filter_map(|(name, _)| Some((*name, parsed(name).ok()?)))
}

#[test]
fn every_message_is_judged_by_the_right_layer() {
    let mut wrong = Vec::new();
    for (name, verdict) in TABLE {
        let found = parsed(name).map(|message| {
            let clauses = message.check().into_iter().map(|lint| lint.clause);
            (clauses.collect::<BTreeSet<_>>(), message.check())
        });
        let right = match (verdict, &found) {
            (Refused(clause), Err(error)) => error.clause == *clause,
            (Readable(clauses), Ok((found, _))) => *found == clauses.iter().copied().collect(),
            _ => false,
        };
        if !right {
            wrong.push(format!("{name}: expected {verdict:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_stands_in_the_table() {
    let files = std::fs::read_dir(folder()).unwrap();
    let names: BTreeSet<String> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "sip"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let listed = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, listed);
}

#[test]
fn the_parts_of_a_message_are_its_bytes() {
    for (name, message) in readable() {
        let wire = message.wire();
        let end_of_start = wire.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
        let mut printed = wire[..end_of_start].to_vec();
        for header in message.header_list() {
            printed.extend_from_slice(&wire[header.as_sent.clone()]);
        }
        printed.extend_from_slice(b"\r\n");
        printed.extend_from_slice(message.body());
        assert!(wire.starts_with(&printed), "{name}");
        let behind = wire.len() - printed.len();
        assert_eq!(behind > 0, name == "rfc4475-dblreq", "{name}");
    }
}

#[test]
fn a_stream_of_all_readable_messages_is_cut_into_them() {
    let framed = |name: &str| !["rfc4475-dblreq", "rfc4475-inv2543"].contains(&name);
    let messages: Vec<_> = readable().filter(|(name, _)| framed(name)).collect();
    for piece in [1, 7, 1460, usize::MAX] {
        let stream: Vec<u8> = messages
            .iter()
            .flat_map(|(_, message)| message.wire().to_vec())
            .collect();
        let mut framer = Framer::default();
        let mut seen = Vec::new();
        for piece in stream.chunks(piece.min(stream.len())) {
            framer.push(piece);
            seen.extend(std::iter::from_fn(|| framer.poll()).map(|result| result.unwrap()));
        }
        assert_eq!(seen.len(), messages.len());
        for (seen, (name, sent)) in seen.iter().zip(&messages) {
            assert_eq!(seen.wire(), sent.wire(), "{name}");
        }
    }
}

#[test]
fn the_addresses_of_every_valid_message_are_read() {
    for (name, verdict) in TABLE {
        if let (Readable([]), Ok(message)) = (verdict, parsed(name)) {
            for header in ["From", "To"] {
                assert!(
                    Address::parse(message.header(header).unwrap()).is_ok(),
                    "{name}"
                );
            }
            for contact in message.values("Contact") {
                assert!(
                    contact == "*" || Address::parse(contact).is_ok(),
                    "{name}: {contact}"
                );
            }
        }
    }
}

#[test]
fn folded_repeated_and_compact_headers_are_found() {
    let message = parsed("rfc4475-wsinv").unwrap();
    assert_eq!(message.cseq().map(|(number, _)| number), Some(9));
    assert_eq!(message.header("Max-Forwards"), Some("0068"));
    assert_eq!(message.values("Via").len(), 3);
    assert_eq!(message.branch(), Some("390skdjuw"));
    assert_eq!(message.to_tag(), Some("1918181833n"));
    assert_eq!(message.from_tag(), Some("98asjd8"));
    assert_eq!(message.contact_uri(), Some("sip:jdrosen@example.com"));
    let long = parsed("rfc4475-longreq").unwrap();
    assert_eq!(long.values("Via").len(), 34);
}
