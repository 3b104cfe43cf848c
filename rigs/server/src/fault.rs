//! What a scenario wants the server to do wrong, or oddly, on purpose.
//!
//! A [`Fault`] says on which messages it works, how many times, and what happens then. It can be written as JSON:
//! `{"on": {"method": "SUBSCRIBE", "purpose": "change"}, "times": 1, "action": {"do": "withhold-notify"}}`.
//!
//! An action works at one of three points, its [`Stage`]: when a request arrives, when a SUBSCRIBE has been accepted
//! (so that a digest challenge before it does not use the fault up), or when a NOTIFY is written. The faults of a plan are
//! tried in the order in which they were loaded; every one that matches is used once, and one that settles the matter
//! (such as `answer`) ends the search.

use crate::dialect::Device;
use crate::service::{ServiceName, ServiceValue};
use serde::{Deserialize, Serialize};
use sip::message::{Message, Method};
use std::collections::BTreeMap;

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
    /// The method, such as `SUBSCRIBE`. For actions on NOTIFYs it may be left out.
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
    /// Sends the NOTIFY later.
    DelayNotify {
        /// How long after the usual time.
        milliseconds: u64,
    },
    /// Sends the NOTIFY twice, the second with the next CSeq.
    DuplicateNotify,
    /// Accepts, and ends the subscription in the NOTIFY that follows.
    EndSubscription {
        /// The reason; none when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The `retry-after` parameter in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
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
    /// After a change, sends a NOTIFY with the old values first and then one with the new ones.
    OldThenNewNotify,
    /// Leaves Expires out of the 2xx.
    OmitExpires,
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
        services: Vec<ServiceName>,
    },
    /// Sets the order of the documents. Services that are not named follow in the usual order.
    Order {
        /// The first ones.
        services: Vec<ServiceName>,
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
    /// A NOTIFY is being written.
    Notify,
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
            | Self::DelayNotify { .. }
            | Self::DuplicateNotify
            | Self::EndSubscription { .. }
            | Self::GrantExpires { .. }
            | Self::NotifyBeforeResponse { .. }
            | Self::OldThenNewNotify
            | Self::OmitExpires
            | Self::WithholdNotify => Stage::Acceptance,
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
            | Self::WrongContentType { .. } => Stage::Notify,
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

/// Why a fault cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The JSON does not describe a fault.
    #[error("not a fault: {0}")]
    Unreadable(String),
    /// A value that would break the message it is put into.
    #[error("{field}: {problem}")]
    Unusable {
        /// Which part of the fault.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
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

    /// Only this many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Reads one fault, or a list of faults, from JSON.
    ///
    /// # Errors
    /// When the text is not JSON, names something unknown, or would break the messages of the server.
    pub fn list_from_json(text: &[u8]) -> Result<Vec<Self>, FaultError> {
        let unreadable = |error: serde_json::Error| FaultError::Unreadable(error.to_string());
        let value: serde_json::Value = serde_json::from_slice(text).map_err(unreadable)?;
        let values = match value {
            serde_json::Value::Array(values) => values,
            one => vec![one],
        };
        let faults = values
            .into_iter()
            .map(serde_json::from_value)
            .collect::<Result<Vec<Self>, _>>()
            .map_err(unreadable)?;
        faults.iter().try_for_each(Self::check)?;
        Ok(faults)
    }

    /// Whether the values fit into the messages that the server writes.
    ///
    /// # Errors
    /// Names the value that does not.
    pub fn check(&self) -> Result<(), FaultError> {
        let one_line = |field, text: &str| check_line(field, text);
        match &self.action {
            Action::Answer {
                code,
                reason,
                headers,
            } => {
                check_code("code", *code, 200..700)?;
                one_line("reason", reason.as_deref().unwrap_or_default())?;
                headers
                    .iter()
                    .try_for_each(|(name, value)| check_header(name, value))
            }
            Action::AcceptWith { code } => check_code("code", *code, 200..300),
            Action::Header { name, value } => check_header(name, value),
            Action::Body { content_type, .. } | Action::WrongContentType { content_type } => {
                one_line("content_type", content_type)
            }
            Action::SubscriptionState { value: Some(value) } => one_line("value", value),
            Action::EndSubscription {
                reason: Some(reason),
                ..
            } => one_line("reason", reason),
            _ => Ok(()),
        }
    }
}

fn check_code(
    field: &'static str,
    code: u16,
    range: std::ops::Range<u16>,
) -> Result<(), FaultError> {
    if range.contains(&code) {
        return Ok(());
    }
    Err(FaultError::Unusable {
        field,
        problem: format!(
            "{code} is not between {} and {}",
            range.start,
            range.end - 1
        ),
    })
}

fn check_line(field: &'static str, text: &str) -> Result<(), FaultError> {
    if text.contains(['\r', '\n']) {
        return Err(FaultError::Unusable {
            field,
            problem: "has a line end in it".to_owned(),
        });
    }
    Ok(())
}

fn check_header(name: &str, value: &str) -> Result<(), FaultError> {
    check_line("headers", value)?;
    let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(FaultError::Unusable {
            field: "headers",
            problem: format!("`{name}` is not a header name"),
        });
    }
    Ok(())
}

/// What the matcher of a fault is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) method: &'a str,
    pub(crate) user: &'a str,
    pub(crate) body: bool,
    pub(crate) in_dialog: bool,
    pub(crate) purpose: Option<Purpose>,
}

impl<'a> Subject<'a> {
    /// A request as it came in.
    pub(crate) fn of_request(request: &'a Message) -> Self {
        let method = request.method().map_or("", Method::as_str);
        Self {
            method,
            user: request.from_uri().map_or("", crate::address::user_part),
            body: !request.body().is_empty(),
            in_dialog: request.to_tag().is_some(),
            purpose: (method == "SUBSCRIBE").then(|| Purpose::of_subscribe(request)),
        }
    }
}

impl Matcher {
    fn matches(&self, subject: &Subject<'_>) -> bool {
        fn fits<T: PartialEq>(wanted: Option<T>, is: T) -> bool {
            wanted.is_none_or(|wanted| wanted == is)
        }
        fits(self.method.as_deref(), subject.method)
            && fits(self.user.as_deref(), subject.user)
            && fits(self.body, subject.body)
            && fits(self.in_dialog, subject.in_dialog)
            && (self.purpose.is_none() || self.purpose == subject.purpose)
    }
}

/// Names a fault of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A fault of the plan and how often it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadedFault {
    /// Its name.
    pub id: FaultId,
    /// The fault.
    pub fault: Fault,
    /// How often it was used.
    pub used: u32,
}

impl LoadedFault {
    fn is_left(&self) -> bool {
        self.fault.times.is_none_or(|times| self.used < times)
    }
}

/// The faults that are loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultPlan {
    faults: BTreeMap<FaultId, LoadedFault>,
    last: u64,
}

impl FaultPlan {
    pub(crate) fn load(&mut self, fault: Fault) -> FaultId {
        self.last += 1;
        let id = FaultId(self.last);
        let used = 0;
        self.faults.insert(id, LoadedFault { id, fault, used });
        id
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn remove(&mut self, id: FaultId) -> bool {
        self.faults.remove(&id).is_some()
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = &LoadedFault> {
        self.faults.values()
    }

    /// Uses up a `drop` that matches, if there is one.
    pub(crate) fn drops(&mut self, subject: &Subject<'_>) -> bool {
        let hit = self.faults.values_mut().find(|loaded| {
            loaded.fault.action == Action::Drop
                && loaded.is_left()
                && loaded.fault.on.matches(subject)
        });
        hit.map(|loaded| loaded.used += 1).is_some()
    }

    /// Uses up every fault of this stage that matches, `drop` apart, and returns the actions in the order of loading.
    pub(crate) fn take(&mut self, stage: Stage, subject: &Subject<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for loaded in self.faults.values_mut() {
            let action = &loaded.fault.action;
            let applies = action.stage() == stage
                && *action != Action::Drop
                && loaded.is_left()
                && loaded.fault.on.matches(subject);
            if applies {
                loaded.used += 1;
                actions.push(action.clone());
                if action.settles() {
                    break;
                }
            }
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: Subject<'static> = Subject {
        method: "SUBSCRIBE",
        user: "anna",
        body: true,
        in_dialog: true,
        purpose: Some(Purpose::Change),
    };

    #[test]
    fn a_fault_survives_json() {
        let text = br#"{"on":{"method":"SUBSCRIBE","purpose":"change"},"times":2,"action":{"do":"answer","code":503,"headers":[["Retry-After","30"]]}}"#;
        let faults = Fault::list_from_json(text).expect("readable");
        let again = serde_json::to_vec(&faults).expect("writable");
        assert_eq!(Fault::list_from_json(&again).expect("readable"), faults);
        assert_eq!(faults[0].times, Some(2));
    }

    #[test]
    fn what_is_unknown_is_refused_with_its_name() {
        for (text, name) in [
            (r#"{"action":{"do":"explode"}}"#, "explode"),
            (r#"{"action":{"do":"drop"},"tmies":1}"#, "tmies"),
            (r#"{"on":{"metod":"X"},"action":{"do":"drop"}}"#, "metod"),
            (r#"{"action":{"do":"order","services":["dnd"]}}"#, "dnd"),
        ] {
            let error = Fault::list_from_json(text.as_bytes()).expect_err(name);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_header_that_would_break_the_message_is_refused() {
        let fault = Fault::new(Action::Header {
            name: "X-Odd".to_owned(),
            value: "a\r\nVia: b".to_owned(),
        });
        assert!(fault.check().is_err());
    }

    #[test]
    fn a_fault_works_as_often_as_it_says() {
        let mut plan = FaultPlan::default();
        plan.load(Fault::new(Action::WithholdNotify).times(2));
        let uses: Vec<_> = (0..3)
            .map(|_| plan.take(Stage::Acceptance, &CHANGE).len())
            .collect();
        assert_eq!(uses, [1, 1, 0]);
    }

    #[test]
    fn a_matcher_compares_every_part_that_is_there() {
        let mut plan = FaultPlan::default();
        plan.load(Fault::new(Action::Drop).on_user("berta"));
        plan.load(Fault::new(Action::Drop).on_purpose(Purpose::Refresh));
        plan.load(Fault::new(Action::Drop).on_method(&Method::Register));
        assert!(!plan.drops(&CHANGE));
        plan.load(
            Fault::new(Action::Drop)
                .on_purpose(Purpose::Change)
                .times(1),
        );
        assert!(plan.drops(&CHANGE));
        assert!(!plan.drops(&CHANGE));
    }

    #[test]
    fn an_answer_ends_the_search_and_spares_the_faults_behind_it() {
        let mut plan = FaultPlan::default();
        plan.load(Fault::new(Action::BareUnauthorized).times(1));
        plan.load(Fault::new(Action::StaleChallenge).times(1));
        assert_eq!(
            plan.take(Stage::Arrival, &CHANGE),
            [Action::BareUnauthorized]
        );
        assert_eq!(plan.take(Stage::Arrival, &CHANGE), [Action::StaleChallenge]);
    }
}
