//! The habits of one application server product, read from a file in `rigs/dialects`.
//!
//! A dialect is data: it says how a server words, orders and times what every server of this kind does. Each fact
//! carries where it comes from and whether that source states it for this product (`documented`) or not (`assumed`).
//! Nothing in the server asks which product it plays; it asks the dialect. What a scenario wants done wrong on purpose
//! is not a habit and belongs in a [`crate::fault::Fault`].

mod file;
mod mechanism;
mod package;

pub use file::BROADSOFT;
pub use mechanism::{
    Csta, FeatureCode, FeatureCodeCall, FeatureCodes, Gate, Mechanism, Mechanisms, SubscribeNotify,
};
pub use package::{FeatureEventPackage, HotelingPackage, Packages};

use document::{Claim, Fact};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a NOTIFY carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// Only the services that changed or were asked for.
    ChangedServices,
    /// Every assigned service.
    FullState,
}

/// Which of the two leaves first, the answer to a SUBSCRIBE or the NOTIFY it causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// First the 2xx.
    AfterResponse,
    /// First the NOTIFY.
    BeforeResponse,
}

/// Which subscriptions of an account are notified of a change by one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Every one.
    All,
    /// Only the one that asked.
    Requester,
}

/// What becomes of a subscription whose NOTIFY is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedNotify {
    /// It ends for the codes that end a dialog's usage.
    EndsByCode,
    /// It ends unless the refusal has Retry-After.
    EndsWithoutRetryAfter,
    /// It stays.
    NeverEnds,
}

/// What the server does with a change whose body it cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnreadableBody {
    /// 2xx and a NOTIFY with everything.
    FullState,
    /// An error response.
    Refuse,
    /// 2xx and nothing else.
    Silent,
}

/// How the whole state travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FullStateForm {
    /// One NOTIFY with one part for each service.
    Multipart,
    /// One NOTIFY for each service.
    SingleDocuments,
}

/// What stands in the `device` element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// `<device></device>`.
    Empty,
    /// No such element.
    Missing,
    /// `<device><notKnown/></device>`.
    NotKnown,
    /// A number that is not the account's.
    Other,
    /// The account's own name.
    Own,
}

/// What `forwardTo` holds while the service is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdleNumber {
    /// No such element.
    Absent,
    /// An empty element.
    Empty,
    /// The stored number.
    Stored,
}

/// The digest algorithm that the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// MD5.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
}

/// The habits of one server product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dialect {
    schema: u32,
    /// The short name, also the name of the file.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// How services are kept in lockstep.
    pub mechanism: Mechanisms,
    /// How messages are written.
    pub style: Style,
    /// How requests are challenged.
    pub digest: Digest,
    /// The registrar.
    pub registration: Registration,
    /// How subscriptions are granted and ended.
    pub subscription: Subscription,
    /// When and to whom NOTIFYs go.
    pub notify: Notify,
    /// The event packages, and what stands in their NOTIFYs.
    pub package: Packages,
    /// The request to fetch the provisioning again.
    pub check_sync: CheckSync,
    /// For [`Dialect::claims`].
    #[serde(skip)]
    claims: Arc<[Claim]>,
}

/// `[style]`: how messages are written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Style {
    /// `Via: x` or `Via:x`.
    pub blank_after_colon: Fact<bool>,
    /// The beginning of every branch; has to begin with the magic cookie.
    pub branch_prefix: Fact<String>,
    /// Max-Forwards of requests.
    pub max_forwards: Fact<u32>,
    /// The Server and User-Agent header; empty for none.
    pub product: Fact<String>,
    /// The methods that Allow names.
    pub allow: Fact<Vec<String>>,
}

impl Style {
    /// What stands between the name and the value of a header.
    pub(crate) const fn colon(&self) -> &'static str {
        if self.blank_after_colon.value {
            ": "
        } else {
            ":"
        }
    }
}

/// `[digest]`: how requests are challenged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Digest {
    /// The realm.
    pub realm: Fact<String>,
    /// The algorithm.
    pub algorithm: Fact<Algorithm>,
    /// The quality of protection; empty for none.
    pub qop: Fact<String>,
    /// How a nonce begins.
    pub nonce_prefix: Fact<String>,
    /// How a nonce ends.
    pub nonce_suffix: Fact<String>,
    /// How long a nonce is good.
    pub nonce_lifetime_seconds: Fact<u64>,
    /// The methods that are challenged.
    pub challenged: Fact<BTreeSet<String>>,
}

/// `[registration]`: the registrar.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Registration {
    /// Granted when the base asks for nothing.
    pub default_expires: Fact<u32>,
    /// Anything shorter is answered 423.
    pub min_expires: Fact<u32>,
    /// Anything longer is granted as this.
    pub max_expires: Fact<u32>,
    /// What follows `expires` in each Contact of the answer.
    pub contact_parameters: Fact<String>,
    /// How many bindings an account may have; one more is answered 403.
    pub max_bindings: Fact<usize>,
    /// The packages that the answer advertises.
    pub allow_events: Fact<Vec<String>>,
}

/// `[subscription]`: how subscriptions are granted and ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Subscription {
    /// Granted when the base asks for nothing.
    pub default_expires: Fact<u32>,
    /// Anything shorter, zero apart, is answered 423.
    pub min_expires: Fact<u32>,
    /// Anything longer is granted as this.
    pub max_expires: Fact<u32>,
    /// 200 or 202.
    pub accept_code: Fact<u16>,
    /// The answer to any other package.
    pub unknown_package_code: Fact<u16>,
    /// The reason in the closing NOTIFY after Expires 0 and after expiry.
    pub end_reason: Fact<String>,
    /// What happens to a change that cannot be read.
    pub unreadable_body: Fact<UnreadableBody>,
    /// The answer to it, where it is refused.
    pub unreadable_body_code: Fact<u16>,
}

/// `[notify]`: when and to whom NOTIFYs go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Notify {
    /// CSeq of the first NOTIFY of a subscription.
    pub first_cseq: Fact<u32>,
    /// Which leaves first.
    pub order: Fact<Order>,
    /// How far the second stays behind the first.
    pub gap_milliseconds: Fact<u64>,
    /// What follows a subscribe or refresh.
    pub after_subscribe: Fact<Extent>,
    /// What follows a change by the handset.
    pub after_change: Fact<Extent>,
    /// What follows a change elsewhere.
    pub after_server_change: Fact<Extent>,
    /// Who is notified of a change by the handset.
    pub audience: Fact<Audience>,
    /// Whether a NOTIFY waits for the answer to the one before.
    pub one_at_a_time: Fact<bool>,
    /// What becomes of a subscription whose NOTIFY is refused.
    pub refused: Fact<RefusedNotify>,
}

/// `[check-sync]`: the request to fetch the provisioning again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CheckSync {
    /// The Event header.
    pub event: Fact<String>,
}
