//! The head of a message as the table of limits sees it: lines, and texts cut at plain characters.
//!
//! On purpose no parser, and without a line of ours: it only has to tell whether something may stand in a message that
//! rsip cannot read.

use super::limits::Subject;

/// The head of a message, cut into lines and no further.
pub(super) struct Head<'a> {
    pub(super) text: &'a str,
    /// How many bytes follow the empty line; nothing when there is none.
    pub(super) body: Option<usize>,
}

impl<'a> Head<'a> {
    pub(super) fn of(wire: &'a [u8]) -> Self {
        let end = wire.windows(4).position(|four| four == b"\r\n\r\n");
        let text = wire.get(..end.unwrap_or(wire.len())).unwrap_or_default();
        Self {
            text: std::str::from_utf8(text).unwrap_or_default(),
            body: end.map(|end| wire.len() - end - 4),
        }
    }

    pub(super) fn start(&self) -> &'a str {
        self.text
            .split("\r\n")
            .find(|line| !line.is_empty())
            .unwrap_or_default()
    }

    /// The lines behind the start line.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a str> {
        self.text
            .split("\r\n")
            .skip_while(|line| line.is_empty())
            .skip(1)
    }

    /// The header lines that a subject is read from.
    pub(super) fn fields(&self, subject: Subject) -> Vec<&'a str> {
        let names: [&str; 2] = match subject {
            Subject::CallId => ["Call-ID", "i"],
            Subject::CSeq => ["CSeq", "CSeq"],
            Subject::FromTag => ["From", "f"],
            Subject::ToTag => ["To", "t"],
            Subject::Contacts => ["Contact", "m"],
            Subject::Expires => ["Expires", "Expires"],
            Subject::Branch => ["Via", "v"],
            _ => return Vec::new(),
        };
        let named = |line: &&str| {
            let name = line.split(':').next().unwrap_or_default();
            names.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        self.lines().filter(named).collect()
    }

    /// The texts that a subject is read from: the Request-URI, or the values of its header.
    pub(super) fn texts(&self, subject: Subject) -> Vec<&'a str> {
        match subject {
            Subject::Refusal | Subject::RequestUri => {
                self.start().split(' ').skip(1).take(1).collect()
            }
            _ => {
                let values = self
                    .fields(subject)
                    .into_iter()
                    .filter_map(|line| line.split_once(':'));
                values
                    .map(|(_, value)| value.trim_start_matches([' ', '\t']))
                    .collect()
            }
        }
    }

    /// The same where they hold a URI, from where it begins.
    pub(super) fn addresses(&self, subject: Subject) -> Vec<&'a str> {
        if matches!(
            subject,
            Subject::CallId | Subject::CSeq | Subject::Expires | Subject::Branch
        ) {
            return Vec::new();
        }
        let open = |text: &'a str| text.split_once('<').map_or(text, |(_, after)| after);
        self.texts(subject).into_iter().map(open).collect()
    }

    /// The same, to where the URI ends.
    pub(super) fn uris(&self, subject: Subject) -> Vec<&'a str> {
        let close = |text: &'a str| text.split('>').next().unwrap_or_default();
        self.addresses(subject).into_iter().map(close).collect()
    }

    /// The texts that name a host.
    pub(super) fn hosts(&self, subject: Subject) -> Vec<&'a str> {
        match subject {
            Subject::Branch => self.texts(subject),
            _ => self.uris(subject),
        }
    }

    /// The method of the start line, or that of the CSeq.
    pub(super) fn methods(&self, subject: Subject) -> Vec<&'a str> {
        match subject {
            Subject::Refusal | Subject::Method if !self.start().starts_with("SIP/") => {
                self.start().split(' ').take(1).collect()
            }
            Subject::CSeq => {
                let values = self.texts(subject).into_iter();
                values
                    .filter_map(|value| value.split_whitespace().nth(1))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The transports named in parameters, or in Via.
    pub(super) fn transports(&self, subject: Subject) -> Vec<&'a str> {
        let texts = self.texts(subject).into_iter();
        if subject == Subject::Branch {
            return texts
                .filter_map(|text| text.split('/').nth(2)?.split(' ').next())
                .collect();
        }
        let named = texts
            .flat_map(|text| text.split([';', '>']))
            .filter_map(|part| part.split_once('='));
        let named = named.filter(|(name, _)| name.eq_ignore_ascii_case("transport"));
        named.map(|(_, value)| value).collect()
    }

    pub(super) fn length_is_wrong(&self) -> bool {
        let fields = self.lines().filter_map(|line| line.split_once(':'));
        let lengths = fields.filter(|(name, _)| {
            ["content-length", "l"].contains(&name.trim().to_ascii_lowercase().as_str())
        });
        let mut lengths: Vec<Option<usize>> = lengths
            .map(|(_, value)| value.trim().parse().ok())
            .collect();
        lengths.dedup();
        let fits = |length: &Option<usize>| {
            length.is_some_and(|length| self.body.is_none_or(|body| length <= body))
        };
        lengths.len() > 1 || !lengths.iter().all(fits)
    }
}
