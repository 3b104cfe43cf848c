//! The body of a NOTIFY: nothing, one document, or one document a part.
//!
//! What one part holds is never lost because of another: the readable events are returned beside the reasons why the
//! rest is not readable.

use super::{BodyError, Event, Oddity, Service, Setting, document, multipart};

/// A document or part that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its place in the body, from zero.
    pub position: usize,
    /// Why.
    pub error: BodyError,
}

/// What a NOTIFY says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// The readable events in the order of the body.
    pub events: Vec<Event>,
    /// What is not readable.
    pub unread: Vec<Unread>,
    /// What is readable but odd.
    pub oddities: Vec<Oddity>,
}

impl Notification {
    /// Reads the body of a NOTIFY. An empty body says nothing and is no error.
    ///
    /// # Errors
    /// When the media type is unknown, the multipart syntax cannot be followed, or nothing at all is readable.
    pub fn parse(content_type: &str, body: &[u8]) -> Result<Self, BodyError> {
        let mut told = Self::default();
        if body.is_empty() {
            return Ok(told);
        }
        if multipart::is_multipart(content_type) {
            let parts = multipart::split(content_type, body, &mut told.oddities)?;
            for part in parts {
                told.read(part.content_type, part.body);
            }
        } else {
            told.read(content_type, body);
        }
        match told.unread.first() {
            Some(first) if told.events.is_empty() => Err(first.error.clone()),
            _ => Ok(told),
        }
    }

    /// The last word on a service.
    #[must_use]
    pub fn setting(&self, service: Service) -> Option<&Setting> {
        let said = self.events.iter().rfind(|event| event.service == service);
        said.map(|event| &event.setting)
    }

    fn read(&mut self, content_type: &str, body: &[u8]) {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        // Some part of the field leaves the type of a part out.
        let known = kind.is_empty() || kind.eq_ignore_ascii_case(super::CONTENT_TYPE);
        if !known {
            return self.leave_unread(BodyError::Unknown(format!("media type `{kind}`")));
        }
        if kind.is_empty() {
            self.oddities.push(Oddity("no Content-Type".to_owned()));
        }
        match document::parse(body, &mut self.oddities) {
            Err(error) => self.leave_unread(error),
            Ok(roots) if roots.is_empty() => self.leave_unread(BodyError::NoDocument),
            Ok(roots) => {
                if roots.len() > 1 {
                    self.oddities
                        .push(Oddity("several documents in one body".to_owned()));
                }
                for root in &roots {
                    match Event::read(root, &mut self.oddities) {
                        Ok(event) => self.events.push(event),
                        Err(error) => self.leave_unread(error),
                    }
                }
            }
        }
    }

    fn leave_unread(&mut self, error: BodyError) {
        let position = self.events.len() + self.unread.len();
        self.unread.push(Unread { position, error });
    }
}
