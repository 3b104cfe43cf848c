//! What rsip is known not to read, or to read otherwise than the RFCs, in one table.
//!
//! Found by experiment with the version that `Cargo.lock` names. Each entry is recognised in the bytes of the message by
//! means so plain that they share no line with our reader: else an error of ours could explain itself. An entry explains
//! a difference only in the header in which it is recognised. `tests/second_reader.rs` holds a message for each entry,
//! and fails when rsip has learned to read it: then the entry goes.

use super::head::Head;
use std::fmt;

/// What two readers can read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Whether it is a message at all: rsip says so, we do not.
    Acceptance,
    /// Whether it is a message at all: we say so, rsip does not.
    Refusal,
    /// The method of a request.
    Method,
    /// The Request-URI.
    RequestUri,
    /// The status code of a response.
    Status,
    /// The Call-ID.
    CallId,
    /// Number and method of the CSeq.
    CSeq,
    /// The tag of From.
    FromTag,
    /// The tag of To.
    ToTag,
    /// The URIs of all Contacts.
    Contacts,
    /// The seconds of the Expires header.
    Expires,
    /// The branch of the topmost Via.
    Branch,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acceptance | Self::Refusal => "the message",
            Self::Method => "the method",
            Self::RequestUri => "the Request-URI",
            Self::Status => "the status code",
            Self::CallId => "the Call-ID",
            Self::CSeq => "the CSeq",
            Self::FromTag => "the From tag",
            Self::ToTag => "the To tag",
            Self::Contacts => "the Contact",
            Self::Expires => "Expires",
            Self::Branch => "the branch of the topmost Via",
        })
    }
}

/// One thing that rsip cannot do.
#[derive(Debug)]
pub struct Limit {
    /// Its name.
    pub name: &'static str,
    /// What rsip does, in words.
    pub reason: &'static str,
    recognised: fn(&Head<'_>, Subject) -> bool,
}

impl Limit {
    /// Whether it explains that the readings of this subject differ.
    pub(super) fn explains(&self, head: &Head<'_>, subject: Subject) -> bool {
        (self.recognised)(head, subject)
    }
}

/// Two limits are the same when their names are.
impl PartialEq for Limit {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Limit {}

const fn limit(
    name: &'static str,
    reason: &'static str,
    recognised: fn(&Head<'_>, Subject) -> bool,
) -> Limit {
    Limit {
        name,
        reason,
        recognised,
    }
}

/// All known limits. The first that is recognised explains.
pub const LIMITS: &[Limit] = &[
    // It refuses the whole message.
    limit(
        "empty-lines-first",
        "refuses empty lines before the start line",
        |head, subject| subject == Subject::Refusal && head.text.starts_with("\r\n"),
    ),
    limit("folding", "refuses folded headers", |head, subject| {
        subject == Subject::Refusal && head.lines().any(|line| line.starts_with([' ', '\t']))
    }),
    limit(
        "space-before-colon",
        "refuses white space behind a header name",
        |head, subject| {
            let spaced = |(name, _): (&str, &str)| name.ends_with([' ', '\t']);
            subject == Subject::Refusal
                && head
                    .lines()
                    .filter_map(|line| line.split_once(':'))
                    .any(spaced)
        },
    ),
    limit(
        "version-in-lower-case",
        "refuses a version that is not in capitals",
        |head, subject| {
            let lower = |text: &str| {
                text.get(..4)
                    .is_some_and(|name| name.eq_ignore_ascii_case("SIP/"))
                    && !text.starts_with("SIP/")
            };
            match subject {
                Subject::Refusal => head.start().split(' ').any(lower),
                Subject::Branch => head.texts(subject).into_iter().any(lower),
                _ => false,
            }
        },
    ),
    limit(
        "no-blank-behind-the-code",
        "refuses a status code without a blank behind it",
        |head, subject| {
            let code = head.start().strip_prefix("SIP/2.0 ");
            subject == Subject::Refusal && code.is_some_and(|code| code.len() == 3)
        },
    ),
    limit(
        "extension-method",
        "knows fourteen methods and refuses all others",
        |head, subject| {
            head.methods(subject).iter().any(|method| {
                !METHODS
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(method))
            })
        },
    ),
    // It refuses the Request-URI, and so the message, or a header; or it loses part of it.
    limit(
        "ipv6-reference",
        "cuts an IPv6 reference at its first colon",
        |head, subject| head.hosts(subject).iter().any(|text| text.contains('[')),
    ),
    limit(
        "other-scheme",
        "reads `tel:` and other schemes as host and port",
        |head, subject| {
            let other = |uri: &&str| scheme(uri).is_some_and(|name| !is_sip(name));
            head.uris(subject).iter().any(other)
        },
    ),
    limit(
        "dot-in-user",
        "takes a user part with a dot for a part of the host",
        |head, subject| {
            let users = head
                .addresses(subject)
                .into_iter()
                .filter_map(|text| text.split_once('@'));
            users.into_iter().any(|(user, _)| user.contains('.'))
        },
    ),
    limit(
        "uri-headers",
        "takes the headers of a URI for a part of the host",
        |head, subject| head.uris(subject).iter().any(|uri| uri.contains('?')),
    ),
    limit(
        "list",
        "takes a list in one header for one value",
        |head, subject| {
            let listed = matches!(subject, Subject::Contacts | Subject::Branch);
            listed
                && head
                    .texts(subject)
                    .iter()
                    .any(|text| outside(text).contains(','))
        },
    ),
    limit(
        "white-space",
        "keeps white space behind a value and ends at white space inside it",
        |head, subject| head.texts(subject).iter().any(|text| is_spaced(text)),
    ),
    limit(
        "quoted-bracket",
        "takes the first `<` for that of the URI, also inside quotes",
        |head, subject| {
            let quoted = |text: &&str| {
                text.find('<').is_some_and(|at| {
                    text.get(..at)
                        .is_some_and(|before| before.matches('"').count() % 2 == 1)
                })
            };
            head.addresses(subject)
                .iter()
                .any(|_| head.texts(subject).iter().any(quoted))
        },
    ),
    limit(
        "parameter-no-token",
        "ends at a parameter that is no token: quoted, with colons, in brackets",
        |head, subject| {
            head.texts(subject)
                .iter()
                .any(|text| text.split(';').skip(1).any(is_no_token))
        },
    ),
    limit(
        "unknown-transport",
        "knows seven transports and refuses all others",
        |head, subject| {
            head.transports(subject).iter().any(|name| {
                !TRANSPORTS
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(name))
            })
        },
    ),
    // It reads something else.
    limit(
        "compact-name",
        "knows no compact header names",
        |head, subject| {
            let compact = |line: &str| {
                line.split_once(':')
                    .is_some_and(|(name, _)| name.len() == 1)
            };
            head.fields(subject).iter().any(|line| compact(line))
        },
    ),
    limit(
        "method-in-lower-case",
        "takes a method in lower case for the one in capitals",
        |head, subject| {
            head.methods(subject)
                .iter()
                .any(|method| method.contains(|c: char| c.is_ascii_lowercase()))
        },
    ),
    // It reads what is no message.
    limit(
        "length-unchecked",
        "does not look at Content-Length",
        |head, subject| subject == Subject::Acceptance && head.length_is_wrong(),
    ),
    limit(
        "lone-line-end",
        "takes a lone CR or LF for a character",
        |head, subject| {
            subject == Subject::Acceptance
                && head
                    .text
                    .split("\r\n")
                    .any(|line| line.contains(['\r', '\n']))
        },
    ),
    limit(
        "unended-head",
        "ends the headers at the first line when no empty line does",
        |head, subject| subject == Subject::Acceptance && head.body.is_none(),
    ),
    limit(
        "other-version",
        "takes any minor version, and version 1",
        |head, subject| {
            let other = |word: &str| word.starts_with("SIP/") && word != "SIP/2.0";
            subject == Subject::Acceptance && head.start().split(' ').any(other)
        },
    ),
    limit(
        "code-out-of-range",
        "takes any three digits for a status code",
        |head, subject| {
            let code = head
                .start()
                .strip_prefix("SIP/2.0 ")
                .and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
            subject == Subject::Acceptance && code.is_some_and(|code| !(100..700).contains(&code))
        },
    ),
    limit(
        "blanks-before-the-code",
        "takes several blanks before the status code for one",
        |head, subject| {
            subject == Subject::Acceptance
                && (head.start().starts_with("SIP/2.0  ") || head.start().starts_with("SIP/2.0\t"))
        },
    ),
    limit(
        "no-scheme",
        "takes a Request-URI that begins with no scheme",
        |head, subject| {
            let uri = head.start().split(' ').nth(1);
            subject == Subject::Acceptance && uri.is_some_and(|uri| scheme(uri).is_none())
        },
    ),
];

const METHODS: &[&str] = &[
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];

const TRANSPORTS: &[&str] = &["SCTP", "TCP", "TLS", "TLS-SCTP", "UDP", "WS", "WSS"];

/// The scheme of a URI, when it begins with one.
fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c));
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !scheme.contains(odd))
        .then_some(scheme)
}

fn is_sip(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips")
}

/// What stands outside quotes and angle brackets.
fn outside(text: &str) -> String {
    let (mut quoted, mut angle) = (false, false);
    let mut kept = String::new();
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            c if !quoted && !angle => kept.push(c),
            _ => {}
        }
    }
    kept
}

fn is_spaced(text: &str) -> bool {
    let beside = [" ;", "; ", " =", "= ", " /", "/ ", " :", ": ", "< ", " >"];
    text.ends_with(' ') || text.contains('\t') || beside.iter().any(|pair| text.contains(pair))
}

/// Whether a parameter is more than `name` or `name=value` of token characters. A list may follow it, or the end of a URI.
fn is_no_token(part: &str) -> bool {
    let part = part.split(['>', ',']).next().unwrap_or_default().trim();
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c));
    name.trim().contains(odd) || value.trim().contains(odd)
}
