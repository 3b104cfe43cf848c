//! Everything about a readable message that offends a clause, beyond what the parser needed to know.
//!
//! A machine does not call this: it acts on what it can read. It is for whoever judges a message, and for tests. What
//! only the owner of a state can know (is the CSeq in order, is there such a dialog) is not looked at.

use super::address::{Address, Via, quotes_are_closed};
use super::header::{is_token, split_list};
use super::uri::Uri;
use super::{Lint, Message, Method, ParseError, StartLine};

/// Headers that stand once (RFC 3261 §7.3.1), and the clause that defines them.
const SINGLE: &[(&str, &str)] = &[
    ("Call-ID", "RFC 3261 §20.8"),
    ("Content-Type", "RFC 3261 §20.15"),
    ("CSeq", "RFC 3261 §20.16"),
    ("Date", "RFC 3261 §20.17"),
    ("Event", "RFC 6665 §8.2.1"),
    ("Expires", "RFC 3261 §20.19"),
    ("From", "RFC 3261 §20.20"),
    ("Max-Forwards", "RFC 3261 §20.22"),
    ("Min-Expires", "RFC 3261 §20.23"),
    ("Retry-After", "RFC 3261 §20.33"),
    ("Subscription-State", "RFC 6665 §8.2.3"),
    ("To", "RFC 3261 §20.39"),
];

/// Headers that every request and response holds.
const REQUIRED: &[&str] = &["Via", "From", "To", "Call-ID", "CSeq"];

const DAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

struct Check<'a> {
    message: &'a Message,
    lints: Vec<Lint>,
}

impl Message {
    /// What was odd for the parser, and everything else in the message that breaks a rule of syntax or presence.
    #[must_use]
    pub fn check(&self) -> Vec<Lint> {
        let mut check = Check {
            message: self,
            lints: self.lints.clone(),
        };
        check.presence();
        check.start_line();
        check.addresses();
        check.via();
        check.cseq();
        check.numbers();
        check.date();
        check.package();
        check.warning();
        check.body();
        check.lints
    }
}

impl Check<'_> {
    fn note(&mut self, clause: &'static str, text: impl Into<String>) {
        self.lints.push(Lint {
            clause,
            text: text.into(),
        });
    }

    fn note_error(&mut self, name: &str, error: &ParseError) {
        self.note(error.clause, format!("{name}: {}", error.text));
    }

    fn presence(&mut self) {
        for name in REQUIRED {
            if self.message.header(name).is_none_or(str::is_empty) {
                self.note("RFC 3261 §8.1.1", format!("no {name}"));
            }
        }
        if self.message.method().is_some() && self.message.header("Max-Forwards").is_none() {
            self.note("RFC 3261 §8.1.1", "no Max-Forwards");
        }
        for (name, clause) in SINGLE {
            if self.message.headers(name).count() > 1 {
                self.note(clause, format!("several {name} headers"));
            }
        }
    }

    fn start_line(&mut self) {
        let StartLine::Request { uri, .. } = self.message.start_line() else {
            return;
        };
        match Uri::parse(uri) {
            Err(error) => self.note_error("Request-URI", &error),
            Ok(Uri::Sip(uri)) if uri.headers.is_some() => {
                self.note("RFC 3261 §19.1.1", "headers in the Request-URI");
            }
            Ok(_) => {}
        }
    }

    fn addresses(&mut self) {
        for name in ["From", "To"] {
            for value in self.message.headers(name) {
                match Address::parse(value) {
                    Err(error) => self.note_error(name, &error),
                    Ok(address) if name == "From" && address.parameter("tag").is_none() => {
                        self.note("RFC 3261 §8.1.1.3", "no tag in From");
                    }
                    Ok(_) => {}
                }
            }
        }
        for name in ["Contact", "Route", "Record-Route", "Path", "Service-Route"] {
            for value in self.message.headers(name) {
                self.address_list(name, value);
            }
        }
    }

    fn address_list(&mut self, name: &'static str, value: &str) {
        if name == "Contact" && value == "*" {
            return;
        }
        if !quotes_are_closed(value) {
            return self.note("RFC 3261 §20.10", format!("{name}: an unterminated quote"));
        }
        for value in split_list(value) {
            match Address::parse(value) {
                Err(error) => self.note_error(name, &error),
                Ok(address) => {
                    let expires = address.parameter("expires");
                    if name == "Contact" && expires.is_some_and(|text| !is_u32(text)) {
                        self.note("RFC 3261 §20.10", "expires of Contact is out of range");
                    }
                    let q = address.parameter("q");
                    if name == "Contact" && q.is_some_and(|text| !is_qvalue(text)) {
                        self.note("RFC 3261 §20.10", "q of Contact is no number from 0 to 1");
                    }
                }
            }
        }
    }

    fn via(&mut self) {
        let values = self.message.values("Via");
        for value in &values {
            if value.is_empty() {
                self.note("RFC 3261 §20.42", "an empty element in Via");
            } else if let Err(error) = Via::parse(value) {
                self.note_error("Via", &error);
            }
        }
        let top = values.first().and_then(|value| Via::parse(value).ok());
        let Some(top) = top.filter(|_| self.message.method().is_some()) else {
            return;
        };
        // A branch without the prefix is one of RFC 2543, which is legal; the prefix alone is not.
        if top.parameter("branch") == Some("z9hG4bK") {
            self.note("RFC 3261 §8.1.1.7", "nothing unique in the topmost branch");
        }
    }

    fn cseq(&mut self) {
        let Some(value) = self.message.header("CSeq") else {
            return;
        };
        let (number, method) = value.split_once([' ', '\t']).unwrap_or((value, ""));
        if !is_u32(number) || number.parse::<u32>().is_ok_and(|number| number >= 1 << 31) {
            self.note("RFC 3261 §8.1.1.5", "the CSeq number is not below 2^31");
        }
        let named = Method::from_token(method.trim());
        if !is_token(method.trim()) {
            self.note("RFC 3261 §20.16", "the CSeq method is no token");
        } else if self.message.method().is_some_and(|method| *method != named) {
            self.note(
                "RFC 3261 §8.1.1.5",
                "the CSeq method is not the one of the request",
            );
        }
    }

    fn numbers(&mut self) {
        for (name, clause) in [
            ("Expires", "RFC 3261 §20.19"),
            ("Min-Expires", "RFC 3261 §20.23"),
            ("Retry-After", "RFC 3261 §20.33"),
        ] {
            let Some(value) = self.message.header(name) else {
                continue;
            };
            // Retry-After may go on with a comment or parameters.
            let number = value
                .split([' ', '\t', '(', ';'])
                .next()
                .unwrap_or_default();
            if !is_u32(number) || (name != "Retry-After" && number != value) {
                self.note(clause, format!("{name} is not a number of seconds"));
            }
        }
        let hops = self.message.header("Max-Forwards");
        if hops.is_some_and(|text| !is_u32(text) || text.parse::<u8>().is_err()) {
            self.note("RFC 3261 §20.22", "Max-Forwards is no number up to 255");
        }
    }

    fn date(&mut self) {
        let Some(value) = self.message.header("Date") else {
            return;
        };
        let words: Vec<&str> = value.split(' ').collect();
        let sound = matches!(words.as_slice(), [day, number, _, year, time, "GMT"]
            if day.strip_suffix(',').is_some_and(|day| DAYS.contains(&day))
                && number.len() == 2 && year.len() == 4 && time.len() == 8);
        if !sound {
            self.note(
                "RFC 3261 §20.17",
                "Date is not in the only form, which ends in GMT",
            );
        }
    }

    fn package(&mut self) {
        let method = self.message.method();
        let subscribes = matches!(method, Some(Method::Subscribe | Method::Notify));
        match self.message.header("Event") {
            None if subscribes => self.note("RFC 6665 §8.2.1", "no Event"),
            Some(value) if !is_token(value.split(';').next().unwrap_or_default().trim()) => {
                self.note("RFC 6665 §8.2.1", "Event names no package");
            }
            _ => {}
        }
        match self.message.header("Subscription-State") {
            None if method == Some(&Method::Notify) => {
                self.note("RFC 6665 §8.2.3", "no Subscription-State");
            }
            Some(value) if !is_token(value.split(';').next().unwrap_or_default().trim()) => {
                self.note("RFC 6665 §8.2.3", "Subscription-State begins with no state");
            }
            _ => {}
        }
    }

    fn warning(&mut self) {
        for value in self.message.values("Warning") {
            let code = value.split(' ').next().unwrap_or_default();
            if code.len() != 3 || !is_u32(code) {
                self.note(
                    "RFC 3261 §20.43",
                    "a Warning without a code of three digits",
                );
            }
        }
    }

    fn body(&mut self) {
        let kind = self.message.header("Content-Type");
        if kind.is_none() && !self.message.body().is_empty() {
            self.note("RFC 3261 §20.15", "a body without Content-Type");
        }
        let media = kind
            .and_then(|kind| kind.split(';').next())
            .unwrap_or("a/b");
        let tokens = media.split_once('/');
        if !tokens.is_some_and(|(kind, sub)| is_token(kind.trim()) && is_token(sub.trim())) {
            self.note("RFC 3261 §20.15", "Content-Type is no media type");
        }
    }
}

fn is_u32(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u32>().is_ok()
}

fn is_qvalue(text: &str) -> bool {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "0" => digits,
        "1" => digits && rest.bytes().all(|byte| byte == b'0'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Builder;

    fn sound(method: &Method) -> Builder {
        Builder::request(method, "sip:a@b")
            .header("Via", "SIP/2.0/UDP h;branch=z9hG4bK1")
            .header("From", "<sip:a@b>;tag=1")
            .header("To", "<sip:a@b>")
            .header("Call-ID", "c")
            .header("CSeq", &format!("1 {method}"))
            .header("Max-Forwards", "70")
    }

    fn clauses(builder: &Builder) -> Vec<&'static str> {
        let message = builder.build().expect("readable");
        message
            .check()
            .into_iter()
            .map(|lint| lint.clause)
            .collect()
    }

    #[test]
    fn a_sound_message_offends_nothing() {
        assert_eq!(clauses(&sound(&Method::Register)), Vec::<&str>::new());
        let notify = sound(&Method::Notify)
            .header("Event", "as-feature-event;id=1")
            .header("Subscription-State", "active;expires=3599")
            .header("Date", "Sat, 13 Nov 2010 23:29:00 GMT")
            .header("Contact", "\"a, b\" <sip:x@y>;q=0.75;expires=90, <sip:z>")
            .body("application/x-as-feature-event+xml", "<a/>");
        assert_eq!(clauses(&notify), Vec::<&str>::new());
    }

    #[test]
    fn each_offence_is_named_with_its_clause() {
        let base = sound(&Method::Notify)
            .header("Event", "p")
            .header("Subscription-State", "active");
        for (name, value, clause) in [
            ("Contact", "<sip:a@b>;q=2", "RFC 3261 §20.10"),
            (
                "Contact",
                "<sip:a@b>;expires=99999999999",
                "RFC 3261 §20.10",
            ),
            ("Contact", "\"a <sip:a@b>", "RFC 3261 §20.10"),
            ("Date", "Fri, 01 Jan 2010 16:00:00 EST", "RFC 3261 §20.17"),
            ("Event", "p", "RFC 6665 §8.2.1"),
            ("Expires", "soon", "RFC 3261 §20.19"),
            ("Retry-After", "-1", "RFC 3261 §20.33"),
            ("Via", "SIP/2.0/UDP h,,", "RFC 3261 §20.42"),
            ("Warning", "1812 overture", "RFC 3261 §20.43"),
        ] {
            let offences = clauses(&base.clone().header(name, value));
            assert!(offences.contains(&clause), "{name}: {value}: {offences:?}");
        }
    }

    #[test]
    fn a_comma_in_subscription_state_is_seen() {
        let notify = sound(&Method::Notify)
            .header("Event", "as-feature-event")
            .header("Subscription-State", "active, 3599");
        assert_eq!(clauses(&notify), ["RFC 6665 §8.2.3"]);
    }

    #[test]
    fn qvalues_have_three_digits_at_most() {
        for (text, sound) in [
            ("0", true),
            ("1.000", true),
            ("0.5", true),
            ("1.1", false),
            ("0.1234", false),
        ] {
            assert_eq!(is_qvalue(text), sound, "{text}");
        }
    }
}
