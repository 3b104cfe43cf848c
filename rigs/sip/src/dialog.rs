//! A dialog (RFC 3261 §12): the names, the counters and the path that two parties share.
//!
//! It is data with rules, not a machine: it holds no timer and sends nothing. Subscriptions and calls own one and ask
//! it for the next CSeq number, the Request-URI and the route, and whether a request comes in order. Loose routing
//! only: a route set without `lr` is used as if it had it.

use crate::message::{Message, address_uri};

/// A request came with a CSeq number that is not above the one before: the answer is 500 (RFC 3261 §12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CSeq {got} is not above {last}")]
pub struct OutOfOrder {
    /// The number that came.
    pub got: u32,
    /// The highest number before it.
    pub last: u32,
}

/// One side's view of a dialog, or of one that the peer has yet to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// The Call-ID.
    pub call_id: String,
    /// The tag of this side.
    pub local_tag: String,
    /// The tag of the peer; absent until it has joined.
    pub remote_tag: Option<String>,
    /// The URI of this side, From in what it sends.
    pub local_uri: String,
    /// The URI of the peer, To in what this side sends.
    pub remote_uri: String,
    /// The Request-URI of what this side sends: the peer's latest Contact.
    pub remote_target: String,
    /// The Route headers of what this side sends, in order.
    pub route_set: Vec<String>,
    /// The CSeq number that this side used last.
    pub local_cseq: u32,
    /// The highest CSeq number that came from the peer.
    pub remote_cseq: Option<u32>,
}

impl Dialog {
    /// A dialog that this side is about to ask for; its first request has the CSeq number `first_cseq`.
    #[must_use]
    pub fn outgoing(
        call_id: String,
        local_tag: String,
        local_uri: String,
        remote_uri: String,
        first_cseq: u32,
    ) -> Self {
        Self {
            call_id,
            local_tag,
            remote_tag: None,
            local_uri,
            remote_target: remote_uri.clone(),
            remote_uri,
            route_set: Vec::new(),
            local_cseq: first_cseq.saturating_sub(1),
            remote_cseq: None,
        }
    }

    /// The dialog of the party that was asked (RFC 3261 §12.1.1). `first_cseq` is for the first request of this side.
    #[must_use]
    pub fn from_request(request: &Message, local_tag: String, first_cseq: u32) -> Self {
        Self {
            call_id: request.call_id().to_owned(),
            local_tag,
            remote_tag: request.from_tag().map(str::to_owned),
            local_uri: request.to_uri().unwrap_or_default().to_owned(),
            remote_uri: request.from_uri().unwrap_or_default().to_owned(),
            remote_target: request
                .contact_uri()
                .or_else(|| request.from_uri())
                .unwrap_or_default()
                .to_owned(),
            route_set: record_route(request),
            local_cseq: first_cseq.saturating_sub(1),
            remote_cseq: request.cseq().map(|(number, _)| number),
        }
    }

    /// The dialog of the party that asked, out of its request and a response with a To tag (RFC 3261 §12.1.2).
    #[must_use]
    pub fn from_response(request: &Message, response: &Message) -> Self {
        let mut dialog = Self::outgoing(
            request.call_id().to_owned(),
            request.from_tag().unwrap_or_default().to_owned(),
            request.from_uri().unwrap_or_default().to_owned(),
            request.to_uri().unwrap_or_default().to_owned(),
            1,
        );
        dialog.local_cseq = request.cseq().map_or(0, |(number, _)| number);
        dialog.join_by_response(response);
        dialog
    }

    /// The peer joins by a response: its tag, its Contact, and the Record-Route turned round (RFC 3261 §12.1.2).
    pub fn join_by_response(&mut self, response: &Message) {
        self.remote_tag = response.to_tag().map(str::to_owned);
        self.route_set = record_route(response);
        self.route_set.reverse();
        self.refresh_target(response);
    }

    /// The peer joins by a request of its own, as a notifier does (RFC 6665 §4.4.1).
    pub fn join_by_request(&mut self, request: &Message) {
        self.remote_tag = request.from_tag().map(str::to_owned);
        self.route_set = record_route(request);
        self.refresh_target(request);
    }

    /// Takes the Contact of a message as the new remote target, if it has one (RFC 3261 §12.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(uri) = message.contact_uri() {
            self.remote_target = uri.to_owned();
        }
    }

    /// Whether the peer has joined.
    #[must_use]
    pub const fn is_established(&self) -> bool {
        self.remote_tag.is_some()
    }

    /// Whether a request of the peer belongs here: Call-ID, our tag in To, and its tag in From once it is known.
    #[must_use]
    pub fn owns(&self, request: &Message) -> bool {
        request.call_id() == self.call_id
            && request.to_tag() == Some(self.local_tag.as_str())
            && (self.remote_tag.is_none() || request.from_tag() == self.remote_tag.as_deref())
    }

    /// The CSeq number for the next request of this side.
    pub const fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// Takes note of the CSeq number of a request of the peer. Gaps are fine.
    ///
    /// # Errors
    /// When it is not above the one before; then nothing is noted. A copy of a request never gets here: its
    /// transaction absorbs it.
    pub fn check_order(&mut self, request: &Message) -> Result<(), OutOfOrder> {
        let got = request.cseq().map_or(0, |(number, _)| number);
        match self.remote_cseq {
            Some(last) if got <= last => Err(OutOfOrder { got, last }),
            _ => {
                self.remote_cseq = Some(got);
                Ok(())
            }
        }
    }
}

/// The Record-Route values in the order of the message, each a value for Route.
fn record_route(message: &Message) -> Vec<String> {
    let values = message.values("Record-Route");
    let named = values.iter().filter(|value| !address_uri(value).is_empty());
    named.map(|value| (*value).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Builder, Method};

    fn request(cseq: u32) -> Message {
        Builder::request(&Method::Notify, "sip:anna@10.0.0.9")
            .header("Record-Route", "<sip:p1;lr>, <sip:p2;lr>")
            .header("From", "<sip:as@example>;tag=as")
            .header("To", "<sip:anna@example>;tag=anna")
            .header("Call-ID", "c1")
            .header("Contact", "<sip:10.0.0.1:5060>")
            .header("CSeq", &format!("{cseq} NOTIFY"))
            .build()
            .unwrap()
    }

    #[test]
    fn the_party_asked_keeps_the_record_route_and_the_asking_party_turns_it_round() {
        let asked = Dialog::from_request(&request(1), "anna".to_owned(), 1);
        assert_eq!(asked.route_set, ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!(asked.remote_target, "sip:10.0.0.1:5060");
        let mut asking = asked.clone();
        asking.join_by_response(&request(1));
        assert_eq!(asking.route_set, ["<sip:p2;lr>", "<sip:p1;lr>"]);
    }

    #[test]
    fn a_lower_or_equal_number_is_out_of_order_and_a_gap_is_not() {
        let mut dialog = Dialog::from_request(&request(5), "anna".to_owned(), 1);
        for (number, allowed) in [(5, false), (4, false), (6, true), (1006, true), (7, false)] {
            let checked = dialog.check_order(&request(number));
            assert_eq!(checked.is_ok(), allowed, "{number}");
        }
        assert_eq!(dialog.remote_cseq, Some(1006));
    }

    #[test]
    fn a_request_belongs_by_call_id_and_both_tags() {
        let mut dialog = Dialog::outgoing(
            "c1".to_owned(),
            "anna".to_owned(),
            "sip:anna@example".to_owned(),
            "sip:as@example".to_owned(),
            1,
        );
        assert!(dialog.owns(&request(1)), "the peer's tag is not known yet");
        dialog.remote_tag = Some("other".to_owned());
        assert!(!dialog.owns(&request(1)));
        dialog.join_by_request(&request(1));
        assert!(dialog.owns(&request(1)));
        assert_eq!(dialog.next_cseq(), 1);
        assert_eq!(dialog.next_cseq(), 2);
    }
}
