//! A second opinion on what a message says, by a reader that we did not write.
//!
//! Every verdict rests on our own reader of SIP, so a misreading of ours would convict a sound base. Here rsip parses
//! the same bytes with its own parser, and both readings of what a dialog lives by are laid side by side. rsip reads
//! less SIP than the RFCs allow: what it is known to refuse or to misread stands in [`LIMITS`], each entry recognised in
//! the bytes and never by our own reader. What rsip cannot read and [`Message::check`] objects to is wrong for both. Whatever
//! else differs is a [`Disagreement`], and says only that one of the two is wrong.
//!
//! It repairs nothing, judges no message and is no part of any machine. The wire laboratory drives it, and whoever looks
//! at recorded messages. The one module that knows rsip.

mod head;
mod limits;

pub use limits::{LIMITS, Limit, Subject};

use crate::message::uri::Uri;
use crate::message::{Lint, Message, address_uri};
use head::Head;
use rsip::headers::{ToTypedHeader as _, UntypedHeader as _};
use rsip::message::{HasHeaders as _, HeadersExt as _};
use rsip::{Header, SipMessage};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What came of reading a message twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Both readers say the same, or both object.
    Agreement,
    /// rsip could not read all of it, for these known limits; the rest agrees.
    Unread(Vec<&'static Limit>),
    /// They differ for no known reason.
    Disagreement(Disagreement),
}

/// Two readings of one message that no known limit explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Where they differ; at least one.
    pub differences: Vec<Difference>,
}

/// One thing that is read differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is read.
    pub subject: Subject,
    /// What our reader says, in words.
    pub ours: String,
    /// What rsip says, in words.
    pub theirs: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, difference) in self.differences.iter().enumerate() {
            let Difference {
                subject,
                ours,
                theirs,
            } = difference;
            let before = if place == 0 { "" } else { "; " };
            write!(
                f,
                "{before}{subject}: our reader says {ours}, rsip says {theirs}"
            )?;
        }
        Ok(())
    }
}

/// Reads the bytes with rsip and compares. `ours` is what our reader made of the same bytes, nothing when it refused
/// them.
#[must_use]
pub fn compare(wire: &[u8], ours: Option<&Message>) -> Comparison {
    let theirs = guarded(|| SipMessage::try_from(wire).map_err(|error| error.to_string()));
    let found = match (ours, theirs) {
        (None, Err(_)) => Vec::new(),
        (None, Ok(_)) => vec![Found {
            subject: Subject::Acceptance,
            ours: "that it is no SIP message".to_owned(),
            theirs: Ok("that it is one".to_owned()),
        }],
        (Some(_), Err(reason)) => vec![Found {
            subject: Subject::Refusal,
            ours: "that it is a SIP message".to_owned(),
            theirs: Err(reason),
        }],
        (Some(ours), Ok(theirs)) => differences(ours, &theirs),
    };
    if found.is_empty() {
        return Comparison::Agreement;
    }
    explain(&Head::of(wire), ours, found)
}

/// One thing that is read differently, before anything explains it.
struct Found {
    subject: Subject,
    ours: String,
    /// What rsip says, or why it cannot read it.
    theirs: Result<String, String>,
}

/// Keeps what nothing explains, and else names the limits.
fn explain(head: &Head<'_>, ours: Option<&Message>, found: Vec<Found>) -> Comparison {
    let objections = ours.map(Message::check).unwrap_or_default();
    let mut known: Vec<&Limit> = Vec::new();
    let mut left = Vec::new();
    for Found {
        subject,
        ours,
        theirs,
    } in found
    {
        let limit = LIMITS.iter().find(|limit| limit.explains(head, subject));
        let objects = |lint: &Lint| clauses(subject).contains(&lint.clause);
        match limit {
            Some(limit) if known.contains(&limit) => {}
            Some(limit) => known.push(limit),
            None if theirs.is_err() && objections.iter().any(objects) => {}
            None => left.push(Difference {
                subject,
                ours,
                theirs: theirs
                    .unwrap_or_else(|reason| format!("that it cannot be read ({reason})")),
            }),
        }
    }
    if !left.is_empty() {
        Comparison::Disagreement(Disagreement { differences: left })
    } else if known.is_empty() {
        Comparison::Agreement
    } else {
        Comparison::Unread(known)
    }
}

/// The clauses that a broken value of this subject offends.
const fn clauses(subject: Subject) -> &'static [&'static str] {
    match subject {
        Subject::Refusal => &["RFC 3261 §19.1.1", "RFC 3261 §8.1.1"],
        Subject::RequestUri => &["RFC 3261 §19.1.1"],
        Subject::CSeq => &["RFC 3261 §20.16", "RFC 3261 §8.1.1.5"],
        Subject::FromTag | Subject::ToTag | Subject::Contacts => {
            &["RFC 3261 §20.10", "RFC 3261 §19.1.1"]
        }
        Subject::Expires => &["RFC 3261 §20.19"],
        Subject::Branch => &["RFC 3261 §20.42", "RFC 3261 §19.1.1"],
        Subject::Acceptance | Subject::Method | Subject::Status | Subject::CallId => &[],
    }
}

/// What rsip says of one subject: nothing, a text, or why it cannot read it.
type Reading = Result<Option<String>, String>;

/// Runs rsip. A panic inside it is one more way of not reading.
fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| {
        let words = payload.downcast_ref::<&str>().copied();
        let words = words.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Err(format!("it panicked: {}", words.unwrap_or("without words")))
    })
}

/// Collects where the readings differ.
#[derive(Default)]
struct Ledger(Vec<Found>);

impl Ledger {
    fn compare(
        &mut self,
        subject: Subject,
        ours: Option<String>,
        theirs: impl FnOnce() -> Reading,
    ) {
        // A value that is there and empty says as much as one that is not there.
        let ours = ours.filter(|text| !text.is_empty());
        let theirs = guarded(theirs).map(|text| text.filter(|text| !text.is_empty()));
        let same = match &theirs {
            Ok(theirs) => *theirs == ours,
            Err(_) => ours.is_none(),
        };
        if same {
            return;
        }
        let quoted = |text: Option<String>| {
            text.map_or_else(|| "nothing".to_owned(), |text| format!("`{text}`"))
        };
        self.0.push(Found {
            subject,
            ours: quoted(ours),
            theirs: theirs.map(quoted),
        });
    }
}

fn differences(ours: &Message, theirs: &SipMessage) -> Vec<Found> {
    let mut ledger = Ledger::default();
    match theirs {
        SipMessage::Request(request) => {
            ledger.compare(
                Subject::Status,
                ours.status().map(|code| code.to_string()),
                || Ok(None),
            );
            let method = ours.method().map(ToString::to_string);
            ledger.compare(Subject::Method, method, || {
                Ok(Some(request.method.to_string()))
            });
            let text = ours.request_uri().unwrap_or_default();
            ledger.compare(Subject::RequestUri, Some(our_uri(text)), || {
                Ok(Some(their_uri(&request.uri, text)))
            });
        }
        SipMessage::Response(response) => {
            let method = ours.method().map(ToString::to_string);
            ledger.compare(Subject::Method, method, || Ok(None));
            let status = ours.status().map(|code| code.to_string());
            let code = response.status_code.code();
            ledger.compare(Subject::Status, status, || Ok(Some(code.to_string())));
        }
    }
    let call_id = ours.header("Call-ID").map(str::to_owned);
    ledger.compare(Subject::CallId, call_id, || {
        Ok(theirs
            .call_id_header()
            .ok()
            .map(|header| header.value().to_owned()))
    });
    let cseq = ours
        .cseq()
        .map(|(number, method)| format!("{number} {method}"));
    ledger.compare(Subject::CSeq, cseq, || {
        read(theirs.cseq_header().ok(), |header| {
            header.typed().map(|cseq| Some(cseq.to_string()))
        })
    });
    let tag = ours.from_tag().map(str::to_owned);
    ledger.compare(Subject::FromTag, tag, || {
        read(theirs.from_header().ok(), |header| {
            header
                .typed()
                .map(|from| from.tag().map(ToString::to_string))
        })
    });
    let tag = ours.to_tag().map(str::to_owned);
    ledger.compare(Subject::ToTag, tag, || {
        read(theirs.to_header().ok(), |header| {
            header.typed().map(|to| to.tag().map(ToString::to_string))
        })
    });
    let expires = ours.expires().map(|seconds| seconds.to_string());
    ledger.compare(Subject::Expires, expires, || {
        read(theirs.expires_header(), |header| {
            header.seconds().map(|seconds| Some(seconds.to_string()))
        })
    });
    let branch = ours.branch().map(str::to_owned);
    ledger.compare(Subject::Branch, branch, || {
        read(theirs.via_header().ok(), |header| {
            header
                .typed()
                .map(|via| via.branch().map(ToString::to_string))
        })
    });
    let contacts: Vec<&str> = ours
        .values("Contact")
        .into_iter()
        .map(address_uri)
        .collect();
    let listed: Vec<String> = contacts.iter().map(|text| our_uri(text)).collect();
    ledger.compare(Subject::Contacts, Some(listed.join(" | ")), || {
        their_contacts(theirs, &contacts)
    });
    ledger.0
}

/// What rsip says of a header that may be missing.
fn read<'a, T>(
    header: Option<&'a T>,
    value: impl FnOnce(&'a T) -> Result<Option<String>, rsip::Error>,
) -> Reading {
    header.map_or(Ok(None), |header| {
        value(header).map_err(|error| error.to_string())
    })
}

fn their_contacts(theirs: &SipMessage, ours: &[&str]) -> Reading {
    let mut listed = Vec::new();
    for header in theirs.headers().iter() {
        if let Header::Contact(contact) = header {
            let uri = contact.uri().map_err(|error| error.to_string())?;
            let text = ours.get(listed.len()).copied().unwrap_or_default();
            listed.push(their_uri(&uri, text));
        }
    }
    Ok(Some(listed.join(" | ")))
}

/// A SIP URI in its parts, any other text as it stands. Case counts in the user part alone (RFC 3261 §19.1.4).
fn our_uri(text: &str) -> String {
    let Ok(Uri::Sip(uri)) = Uri::parse(text) else {
        return text.to_owned();
    };
    let parameters = uri.parameters.iter().map(|(name, value)| match value {
        Some(value) => format!(";{name}={value}"),
        None => format!(";{name}"),
    });
    let mut parameters: String = parameters.collect();
    if let Some(headers) = uri.headers {
        parameters.push('?');
        parameters.push_str(headers);
    }
    let port = uri.port.map(|port| port.to_string());
    parts(
        uri.scheme,
        (uri.user, uri.password),
        uri.host,
        port,
        &parameters,
    )
}

/// The same of rsip's reading, in the form that our text of it has.
fn their_uri(uri: &rsip::Uri, ours: &str) -> String {
    if !matches!(Uri::parse(ours), Ok(Uri::Sip(_))) {
        return uri.to_string();
    }
    let scheme = uri
        .scheme
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let password = uri.auth.as_ref().and_then(|auth| auth.password.as_deref());
    let parameters: String = uri.params.iter().map(ToString::to_string).collect();
    let port = uri.port().map(|port| port.value().to_string());
    let host = uri.host().to_string();
    parts(&scheme, (uri.user(), password), &host, port, &parameters)
}

fn parts(
    scheme: &str,
    (user, password): (Option<&str>, Option<&str>),
    host: &str,
    port: Option<String>,
    parameters: &str,
) -> String {
    let mut text = scheme.to_ascii_lowercase();
    for (what, value) in [("user", user), ("password", password)] {
        if let Some(value) = value {
            text.push_str(&format!(" {what} {value}"));
        }
    }
    text.push_str(&format!(" host {}", host.to_ascii_lowercase()));
    if let Some(port) = port {
        text.push_str(&format!(" port {port}"));
    }
    text.push_str(&parameters.to_ascii_lowercase());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_other_reader_is_a_reading() {
        let read = guarded::<()>(|| unreachable!("broken inside"));
        let reason = read.expect_err("a reading");
        assert!(
            reason.starts_with("it panicked: ") && reason.contains("broken inside"),
            "{reason}"
        );

        let mut ledger = Ledger::default();
        ledger.compare(Subject::CSeq, Some("1 ACK".to_owned()), || {
            unreachable!("again")
        });
        let told = ledger.0.first().map(|found| found.theirs.as_ref());
        assert!(told.is_some_and(|told| told.is_err()), "{told:?}");
    }

    #[test]
    fn the_parts_of_a_uri_are_compared_and_not_its_text_alone() {
        let uri = rsip::Uri::try_from("sip:a.b@host:5060").expect("readable");
        assert_eq!(uri.to_string(), "sip:a.b@host:5060");
        assert_ne!(
            their_uri(&uri, "sip:a.b@host:5060"),
            our_uri("sip:a.b@host:5060")
        );
    }
}
