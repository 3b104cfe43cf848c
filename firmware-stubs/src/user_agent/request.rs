//! What the parts of a user agent share: the endpoint, the texts, and the way a request is written and sent.
//!
//! It is no machine. A part asks for a request with its values, and gets back the transaction that carries it; the
//! account that asked is remembered, so that the answer finds its way back.

use super::package::{Gate, Package};
use super::{UaConfig, UaIndication, UaOutput};
use crate::accounts::{AccountSettings, HostPort, Ipui};
use crate::defect::{Defect, Defects};
use crate::model::Model;
use crate::user_agent::template::{TemplateName, Values};
use bytes::Bytes;
use sip::endpoint::{Endpoint, TransactionId};
use sip::message::Message;
use sip::node::Flow;
use sip::time::Instant;
use sip::timer::{Growth, Timers};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The parts that all accounts use.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) model: Arc<Model>,
    pub(super) defects: Defects,
    pub(super) sip: SocketAddr,
    /// The packages that an account can subscribe.
    pub(super) packages: Vec<Arc<Package>>,
    pub(super) owners: BTreeMap<TransactionId, Ipui>,
    pub(super) outputs: VecDeque<UaOutput>,
    /// Over how long the accounts spread their first REGISTERs.
    pub(super) register_spread: Duration,
    /// Over how long they spread their first SUBSCRIBEs.
    pub(super) subscribe_spread: Duration,
}

/// The values of one request besides those of its account.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) template: TemplateName,
    pub(super) uri: String,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) local_tag: String,
    pub(super) remote_tag: Option<String>,
    pub(super) route: Vec<String>,
    pub(super) expires: Option<u32>,
    pub(super) remote: String,
    pub(super) authorization: Option<(&'static str, String)>,
    pub(super) body: Option<(String, Bytes)>,
    /// The package of a SUBSCRIBE.
    pub(super) package: Option<Arc<Package>>,
}

/// Where a request of an account goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Proxy,
    Registrar,
}

impl Shared {
    pub(super) fn new(config: UaConfig) -> Self {
        let timers = timers(&config.model, &config.defects);
        Self {
            endpoint: Endpoint::new(timers, config.seed),
            packages: config
                .model
                .sip
                .packages
                .iter()
                .filter(|package| package.gate != Gate::Off)
                .map(|package| Arc::new(package.clone()))
                .collect(),
            model: config.model,
            defects: config.defects,
            sip: config.sip,
            owners: BTreeMap::new(),
            outputs: VecDeque::new(),
            register_spread: Duration::ZERO,
            subscribe_spread: Duration::ZERO,
        }
    }

    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defects.has(defect)
    }

    pub(super) fn indicate(&mut self, indication: UaIndication) {
        self.outputs.push_back(UaOutput::Indication(indication));
    }

    pub(super) fn log(&mut self, settings: &AccountSettings, text: &str) {
        let line = format!("sip {} {text}", settings.handset);
        self.indicate(UaIndication::Log(line));
    }

    /// A random length below `limit`.
    pub(super) fn below(&mut self, limit: Duration) -> Duration {
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.endpoint.rng().u64(..micros))
    }

    /// The flow of an account, when the address of its server is known.
    pub(super) fn flow(&self, settings: &AccountSettings, server: Server) -> Option<Flow> {
        let host: &HostPort = match server {
            Server::Proxy => &settings.provider.proxy,
            Server::Registrar => &settings.provider.registrar,
        };
        Some(Flow {
            transport: settings.provider.transport,
            local: self.sip,
            remote: host.socket_address()?,
        })
    }

    /// The bytes of a request.
    pub(super) fn write(&mut self, settings: &AccountSettings, draft: &Draft) -> Bytes {
        let branch = self.endpoint.new_branch();
        let to_tag = draft.remote_tag.as_ref().map(|tag| format!(";tag={tag}"));
        let (header, authorization) = draft.authorization.clone().unwrap_or_default();
        let values = Values::new()
            .with("uri", &draft.uri)
            .with("transport", settings.provider.transport)
            .with("sent_by", self.sip)
            .with("branch", branch)
            .with("route", draft.route.join(", "))
            .with("from_name", quoted(&settings.display_name))
            .with("aor", address_of_record(settings))
            .with("local_tag", &draft.local_tag)
            .with("remote", &draft.remote)
            .with("to_tag", to_tag.unwrap_or_default())
            .with("call_id", &draft.call_id)
            .with("cseq", draft.cseq)
            .with("contact", self.contact(settings))
            .with("user_agent", self.model.user_agent())
            .with("authorization_header", header)
            .with("authorization", authorization);
        let values = match draft.expires {
            Some(expires) => values.with("expires", expires),
            None => values,
        };
        let package = draft.package.as_deref();
        let values = match package {
            Some(package) => values
                .with("event", &package.name)
                .with("accept", package.accept.join(", ")),
            None => values,
        };
        let body = draft.body.as_ref();
        let body = body.map(|(content_type, body)| (content_type.as_str(), body.as_ref()));
        self.model.sip.templates.request_with(
            package.map(|package| &package.templates),
            draft.template,
            values,
            body,
        )
    }

    /// Sends a request in a client transaction of this account. Nothing is sent when the server has no address or the
    /// text of a mutant is no request at all.
    pub(super) fn send(
        &mut self,
        now: Instant,
        settings: &AccountSettings,
        server: Server,
        draft: &Draft,
    ) -> Option<(TransactionId, Message)> {
        let Some(flow) = self.flow(settings, server) else {
            self.log(settings, "the server's name is not an address");
            return None;
        };
        let bytes = self.write(settings, draft);
        let request = match Message::parse(bytes) {
            Ok(request) => request,
            Err(error) => {
                self.log(settings, &format!("{} not sent: {error}", draft.template));
                return None;
            }
        };
        let transaction = self.endpoint.send_request(now, flow, request.clone());
        self.owners.insert(transaction, settings.handset.clone());
        Some((transaction, request))
    }

    /// Where this base wants requests for the account.
    pub(super) fn contact(&self, settings: &AccountSettings) -> String {
        let user = escaped(&settings.user_name);
        let transport = settings.provider.transport;
        if transport.is_reliable() {
            let word = transport.as_str().to_ascii_lowercase();
            format!("sip:{user}@{};transport={word}", self.sip)
        } else {
            format!("sip:{user}@{}", self.sip)
        }
    }
}

/// The timers of the endpoint; read here: `never-retransmits`, `retransmits-every-second`, `treats-copies-as-new`.
fn timers(model: &Model, defects: &Defects) -> Timers {
    let mut timers = Timers {
        t1: model.timers.t1,
        t2: model.timers.t2,
        t4: model.timers.t4,
        ..Timers::default()
    };
    timers.retransmit_requests = !defects.has(Defect::NeverRetransmits);
    timers.absorb_retransmissions = !defects.has(Defect::TreatsCopiesAsNew);
    if defects.has(Defect::RetransmitsEverySecond) {
        timers.first_interval = Some(Duration::from_secs(1));
        timers.growth = Growth::Fixed;
    }
    timers
}

/// The AOR of an account.
pub(super) fn address_of_record(settings: &AccountSettings) -> String {
    let user = escaped(&settings.user_name);
    format!("sip:{user}@{}", settings.provider.domain)
}

/// A user part with everything escaped that may not stand there (RFC 3261 §25.1): `#` must be, `*` need not.
pub(super) fn escaped(user: &str) -> String {
    let mut text = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn quoted(display_name: &str) -> String {
    if display_name.is_empty() {
        return String::new();
    }
    let name = display_name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{name}\" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_and_a_hash_is_escaped() {
        assert_eq!(escaped("*57*2424#"), "*57*2424%23");
        assert_eq!(escaped("a b@c"), "a%20b%40c");
    }

    #[test]
    fn a_display_name_is_quoted_once() {
        assert_eq!(quoted("Anna \"A\" \\"), "\"Anna \\\"A\\\" \\\\\" ");
        assert_eq!(quoted(""), "");
    }
}
