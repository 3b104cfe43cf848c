//! The event package of a SUBSCRIBE or NOTIFY, and what an account holds beside feature key synchronisation.
//!
//! Subscriptions of one account are told apart by Event, with its `id`, and by Call-ID and From tag (RFC 6665 §4.5.1).
//! Other packages are kept in mind so that they disturb no rule; no rule judges them.

use sip::message::{Message, parameter};
use sip::service::TABLE;

/// An event package, with the `id` that tells two subscriptions for it apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
}

/// A subscription for another package, as far as its SUBSCRIBEs name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherSubscription {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
}

impl Package {
    /// What the Event header says; nothing when there is none.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let event = message.header("Event")?;
        let name = event.split(';').next().unwrap_or_default().trim();
        Some(Self {
            name: name.to_ascii_lowercase(),
            id: parameter(event, "id").map(str::to_owned),
        })
    }

    /// Whether it is another package of the services, and not ours badly written.
    pub(crate) fn is_other_service(&self) -> bool {
        let mut services = TABLE.iter();
        self.name != crate::monitor::PACKAGE && services.any(|facts| facts.package == self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn package(event: &str) -> Package {
        let text = format!("SUBSCRIBE sip:a@b SIP/2.0\r\nEvent: {event}\r\n\r\n");
        Package::of(&Message::parse(Bytes::from(text)).unwrap()).unwrap()
    }

    #[test]
    fn packages_are_told_apart_by_name_and_id() {
        assert_eq!(package("Dialog;id=1;x=y"), package("dialog;id=1"));
        assert_ne!(package("dialog;id=1"), package("dialog;id=2"));
        assert_ne!(package("dialog"), package("presence"));
    }

    #[test]
    fn only_what_has_a_service_of_its_own_is_another_service() {
        assert!(package("x-broadworks-hoteling").is_other_service());
        assert!(!package("as-subscribe-event").is_other_service());
        assert!(!package("as-subscribe-events").is_other_service());
    }
}
