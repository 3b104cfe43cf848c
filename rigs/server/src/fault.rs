//! What a scenario wants the server to do wrong, or oddly, on purpose.
//!
//! A [`Fault`] says on which messages it works, how many times, and what happens then. It can be written as JSON:
//! `{"on": {"method": "SUBSCRIBE", "purpose": "change"}, "times": 1, "action": {"do": "withhold-notify"}}`.
//!
//! An action works at one point, its [`Stage`]: when a request arrives, when a SUBSCRIBE has been accepted (so that a digest
//! challenge before it does not use the fault up), when a NOTIFY becomes due, or when it is written. A fault on a NOTIFY may
//! name NOTIFY as its method, or SUBSCRIBE for those that a SUBSCRIBE causes. The faults of a plan are
//! tried in the order in which they were loaded; every one that matches is used once, and one that settles the matter
//! (such as `answer`) ends the search.

mod file;
mod injection;
mod plan;

pub use injection::{Ending, Faults, SubscriptionFilter};
pub use plan::{FaultId, LoadedFault};
pub(crate) use plan::{FaultPlan, Subject};

use crate::dialect::Device;
use crate::package::Package;
use crate::service::ServiceValue;
use serde::{Deserialize, Serialize};
use sip::message::{Message, Method};
use sip::service::Service;

/// Why a SUBSCRIBE or a NOTIFY is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The handset changes a service.
    Change,
    /// A new subscription.
    Initial,
    /// An existing subscription is prolonged.
    Refresh,
    /// A service was changed elsewhere. Only NOTIFYs have this purpose.
    ServerChange,
    /// The server ends the subscription. Only NOTIFYs have this purpose.
    Termination,
    /// The handset ends the subscription.
    Unsubscribe,
}

impl Purpose {
    /// The purpose of a SUBSCRIBE.
    #[must_use]
    pub fn of_subscribe(request: &Message) -> Self {
        if request.expires() == Some(0) {
            Self::Unsubscribe
        } else if !request.body().is_empty() {
            Self::Change
        } else if request.to_tag().is_some() {
            Self::Refresh
        } else {
            Self::Initial
        }
    }
}

/// On which messages a fault works. What is absent matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Matcher {
    /// The method, such as `SUBSCRIBE`. A NOTIFY that a SUBSCRIBE causes has both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether there is a body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<bool>,
    /// Whether To has a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_dialog: Option<bool>,
    /// The purpose of a SUBSCRIBE, or what caused a NOTIFY.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The event package of a SUBSCRIBE or NOTIFY.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<Package>,
}

/// One rule of the fault plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fault {
    /// On which messages.
    #[serde(default)]
    pub on: Matcher,
    /// How many times; absent: until the plan is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// What happens.
    pub action: Action,
}

/// What happens to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    // When a request arrives.
    /// Answers with this status, whatever the request asks.
    Answer {
        /// 200 to 699.
        code: u16,
        /// The reason phrase; the usual one when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Further header fields: name and value.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, String)>,
    },
    /// Answers 401 without WWW-Authenticate.
    BareUnauthorized,
    /// Looks at the request only after this time.
    Delay {
        /// How long.
        milliseconds: u64,
    },
    /// Does not see the request. Over UDP every copy counts, so that a retransmission may get through.
    Drop,
    /// Answers 401 with a fresh nonce and without `stale`, whatever credentials the request has.
    EndlessChallenge,
    /// Forgets the subscription before the request is looked at: in a dialog the answer is 481.
    ForgetSubscription,
    /// Answers 401 with a fresh nonce and `stale=true`, whatever credentials the request has.
    StaleChallenge,

    // When a SUBSCRIBE has been accepted, or a REGISTER for the two on Expires.
    /// Accepts with this code.
    AcceptWith {
        /// 200 to 299.
        code: u16,
    },
    /// After a change these values hold, whatever was asked. A service that is not named keeps the value it had.
    Contradict {
        /// The values.
        #[serde(default)]
        values: Vec<ServiceValue>,
    },
    /// Grants this many seconds, whatever was asked and whatever the policy says.
    GrantExpires {
        /// Seconds.
        seconds: u32,
    },
    /// Sends the NOTIFY, and the 2xx only this much later.
    NotifyBeforeResponse {
        /// How long the 2xx waits. Choose it longer than the jitter of the laboratory.
        #[serde(default = "default_lead")]
        lead_milliseconds: u64,
    },
    /// Leaves Expires out of the 2xx.
    OmitExpires,

    // When a NOTIFY becomes due, after a SUBSCRIBE or after a change by the server.
    /// Sends the NOTIFY later.
    DelayNotify {
        /// How long after the usual time.
        milliseconds: u64,
    },
    /// Sends the NOTIFY twice, the second with the next CSeq.
    DuplicateNotify,
    /// Ends the subscription in this NOTIFY, which then has no body. After an unsubscription it sets the reason.
    EndSubscription {
        /// The reason; none when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The `retry-after` parameter in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
    /// After a change, sends a NOTIFY with the old values first and then one with the new ones.
    OldThenNewNotify,
    /// Sends no NOTIFY.
    WithholdNotify,

    // When a NOTIFY is written.
    /// Puts this body into the NOTIFY.
    Body {
        /// The Content-Type.
        content_type: String,
        /// The body.
        text: String,
    },
    /// Closes a multipart body with `--boundary` instead of `--boundary--`.
    ClosingDelimiterMissing,
    /// Sets what stands in `device`.
    Device {
        /// Which form.
        form: Device,
    },
    /// A body with a DTD whose entities expand to gigabytes.
    DtdBomb,
    /// No body and no Content-Type.
    EmptyBody,
    /// A body with an external entity that names this URI.
    ExternalEntity {
        /// The canary: nothing must ever fetch it.
        uri: String,
    },
    /// Sets what stands in `forwardTo`, as it is; absent: no such element.
    ForwardTo {
        /// The text.
        #[serde(default)]
        value: Option<String>,
    },
    /// Adds a header field.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Ends the lines of a multipart body with LF alone.
    LineFeedOnly,
    /// A body that ends in the middle of an element.
    MalformedXml,
    /// Sets the namespace of the root element; absent: none.
    Namespace {
        /// The URI.
        #[serde(default)]
        value: Option<String>,
    },
    /// Leaves services out of the NOTIFY, as if they were not assigned.
    OmitServices {
        /// Which.
        services: Vec<Service>,
    },
    /// Sets the order of the documents. Services that are not named follow in the usual order.
    Order {
        /// The first ones.
        services: Vec<Service>,
    },
    /// Quotes the boundary parameter.
    QuotedBoundary,
    /// Sets what stands in `ringCount`, as it is; absent: no such element.
    RingCount {
        /// The text.
        #[serde(default)]
        value: Option<String>,
    },
    /// One NOTIFY for each service instead of one with several parts.
    SingleDocuments,
    /// Sets the whole Subscription-State header; absent: no such header.
    SubscriptionState {
        /// The value, such as `active, 3599`.
        #[serde(default)]
        value: Option<String>,
    },
    /// The usual body under this Content-Type.
    WrongContentType {
        /// The Content-Type.
        content_type: String,
    },
}

/// The point at which an action works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A request has arrived.
    Arrival,
    /// A SUBSCRIBE or REGISTER has been accepted.
    Acceptance,
    /// A NOTIFY has become due.
    Sending,
    /// A NOTIFY is being written.
    Writing,
}

const fn default_lead() -> u64 {
    100
}

impl Action {
    /// The point at which this action works.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Answer { .. }
            | Self::BareUnauthorized
            | Self::Delay { .. }
            | Self::Drop
            | Self::EndlessChallenge
            | Self::ForgetSubscription
            | Self::StaleChallenge => Stage::Arrival,
            Self::AcceptWith { .. }
            | Self::Contradict { .. }
            | Self::GrantExpires { .. }
            | Self::NotifyBeforeResponse { .. }
            | Self::OmitExpires => Stage::Acceptance,
            Self::DelayNotify { .. }
            | Self::DuplicateNotify
            | Self::EndSubscription { .. }
            | Self::OldThenNewNotify
            | Self::WithholdNotify => Stage::Sending,
            Self::Body { .. }
            | Self::ClosingDelimiterMissing
            | Self::Device { .. }
            | Self::DtdBomb
            | Self::EmptyBody
            | Self::ExternalEntity { .. }
            | Self::ForwardTo { .. }
            | Self::Header { .. }
            | Self::LineFeedOnly
            | Self::MalformedXml
            | Self::Namespace { .. }
            | Self::OmitServices { .. }
            | Self::Order { .. }
            | Self::QuotedBoundary
            | Self::RingCount { .. }
            | Self::SingleDocuments
            | Self::SubscriptionState { .. }
            | Self::WrongContentType { .. } => Stage::Writing,
        }
    }

    /// Whether no later fault can change what becomes of the message.
    const fn settles(&self) -> bool {
        matches!(
            self,
            Self::Answer { .. }
                | Self::BareUnauthorized
                | Self::Drop
                | Self::EndlessChallenge
                | Self::StaleChallenge
        )
    }
}

impl Fault {
    /// A fault that does this to every message, until the plan is cleared.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            on: Matcher::default(),
            times: None,
            action,
        }
    }

    /// Only on this method.
    #[must_use]
    pub fn on_method(mut self, method: &Method) -> Self {
        self.on.method = Some(method.as_str().to_owned());
        self
    }

    /// Only for this account.
    #[must_use]
    pub fn on_user(mut self, user: &str) -> Self {
        self.on.user = Some(user.to_owned());
        self
    }

    /// Only on SUBSCRIBEs with this purpose, or on NOTIFYs caused by it.
    #[must_use]
    pub fn on_purpose(mut self, purpose: Purpose) -> Self {
        self.on.purpose = Some(purpose);
        self
    }

    /// Only in this event package.
    #[must_use]
    pub const fn on_package(mut self, package: Package) -> Self {
        self.on.package = Some(package);
        self
    }

    /// Only this many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}
