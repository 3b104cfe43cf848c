//! A NOTIFY that a scenario words itself: in the wrong dialog, with a CSeq that jumps, with an Event or a body of its own.
//!
//! A spec that says nothing is a regular NOTIFY with the full state. Each method of the builder changes one thing.
//! Nothing here changes what the server stores.

use crate::fault::Action;
use crate::package::Package;
use sip::service::{Service, Setting};
use sip::subscription::Content;

/// The dialog that a NOTIFY claims to belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NotifyDialog {
    /// Every subscription of the account, each in its own dialog.
    #[default]
    Current,
    /// The subscription of the account that ended last.
    LastEnded,
    /// No dialog at all: a new Call-ID and no To tag, to every contact of the account.
    Outside,
    /// As the subscription's, but with a Call-ID that nobody knows.
    UnknownCallId,
    /// As the subscription's, but with a From tag that nobody knows.
    UnknownFromTag,
    /// As the subscription's, but with a To tag that nobody knows.
    UnknownToTag,
}

/// The CSeq number of a NOTIFY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NotifyCSeq {
    /// The next one.
    #[default]
    Next,
    /// The number of the last NOTIFY plus this. A number above the last one is counted on from; one that is not leaves
    /// the count as it is.
    Offset(i64),
    /// This number, and the count goes on from it, as after a restart of the server's numbering.
    Restart(u32),
}

/// A header that the server usually writes itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HeaderChoice {
    /// Left out.
    Missing,
    /// As usual.
    #[default]
    Usual,
    /// This value.
    Value(String),
}

/// What a NOTIFY carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NotifyContent {
    /// This body.
    Custom(Content),
    /// Every service of the account.
    #[default]
    FullState,
    /// No body.
    Nothing,
    /// These services, as they are stored.
    Services(Vec<Service>),
    /// These values, which need not be the stored ones.
    Values(Vec<(Service, Setting)>),
}

/// A NOTIFY that a scenario words itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifySpec {
    /// Sends the last NOTIFY of each subscription again, byte for byte; everything else here is passed over.
    pub retransmission: bool,
    /// The event package whose subscriptions are meant.
    pub package: Package,
    /// The dialog it claims to belong to.
    pub dialog: NotifyDialog,
    /// Its CSeq number.
    pub cseq: NotifyCSeq,
    /// Its Event header.
    pub event: HeaderChoice,
    /// Its Subscription-State header.
    pub subscription_state: HeaderChoice,
    /// What it carries.
    pub content: NotifyContent,
    /// How that is written: actions of the stage `Notify`, without a fault plan.
    pub form: Vec<Action>,
    /// Further header fields: name and value.
    pub headers: Vec<(String, String)>,
}

impl NotifySpec {
    /// A regular NOTIFY with the full state.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The last NOTIFY of each subscription once more: the same bytes on the same branch.
    #[must_use]
    pub fn retransmission() -> Self {
        Self {
            retransmission: true,
            ..Self::default()
        }
    }

    /// To the subscriptions to this package.
    #[must_use]
    pub const fn in_package(mut self, package: Package) -> Self {
        self.package = package;
        self
    }

    /// In this dialog.
    #[must_use]
    pub const fn in_dialog(mut self, dialog: NotifyDialog) -> Self {
        self.dialog = dialog;
        self
    }

    /// With the number of the last NOTIFY plus this: `-1` is lower, `0` the same again, `1000` a jump.
    #[must_use]
    pub const fn with_cseq_offset(mut self, offset: i64) -> Self {
        self.cseq = NotifyCSeq::Offset(offset);
        self
    }

    /// With this number, from which the count goes on.
    #[must_use]
    pub const fn with_cseq_restart(mut self, number: u32) -> Self {
        self.cseq = NotifyCSeq::Restart(number);
        self
    }

    /// With this Event header.
    #[must_use]
    pub fn with_event(mut self, value: &str) -> Self {
        self.event = HeaderChoice::Value(value.to_owned());
        self
    }

    /// Without an Event header.
    #[must_use]
    pub fn without_event(mut self) -> Self {
        self.event = HeaderChoice::Missing;
        self
    }

    /// With this Subscription-State header.
    #[must_use]
    pub fn with_subscription_state(mut self, value: &str) -> Self {
        self.subscription_state = HeaderChoice::Value(value.to_owned());
        self
    }

    /// Without a Subscription-State header.
    #[must_use]
    pub fn without_subscription_state(mut self) -> Self {
        self.subscription_state = HeaderChoice::Missing;
        self
    }

    /// With this content.
    #[must_use]
    pub fn with_content(mut self, content: NotifyContent) -> Self {
        self.content = content;
        self
    }

    /// With these values, which the server does not store.
    #[must_use]
    pub fn with_values(self, values: Vec<(Service, Setting)>) -> Self {
        self.with_content(NotifyContent::Values(values))
    }

    /// With this body.
    #[must_use]
    pub fn with_body(self, content_type: &str, body: &str) -> Self {
        self.with_content(NotifyContent::Custom(Content {
            content_type: content_type.to_owned(),
            body: body.as_bytes().to_vec().into(),
        }))
    }

    /// Written like this; only actions that shape a NOTIFY do anything here.
    #[must_use]
    pub fn with_form(mut self, action: Action) -> Self {
        self.form.push(action);
        self
    }

    /// With one more header field.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A NOTIFY that has left, by which its answer is found in the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifySent {
    /// Its Call-ID.
    pub call_id: String,
    /// Its CSeq number.
    pub cseq: u32,
    /// The branch of its Via.
    pub branch: String,
}
