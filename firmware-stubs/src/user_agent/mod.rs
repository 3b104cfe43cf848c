//! The SIP user agent of a base: one registration for each account, and one subscription for each package.
//!
//! The owner configures it after every provisioning, hands it SIP and lab time, and drains `poll_output`. It decides
//! nothing about displays: a service that it reports is what the server said, a change that it takes is what a user
//! asked for. Accounts keep their own tables; this file carries messages to the account they belong to.

mod account;
mod body;
mod call;
mod challenge;
mod change;
mod hoteling;
mod incoming;
mod notification;
pub mod package;
mod policy;
mod registration;
mod request;
mod roster;
mod subscription;
mod subscriptions;
pub mod template;

use crate::accounts::{AccountSettings, Ipui};
use crate::defect::{Defect, Defects};
use crate::interceptor::{Held, Interceptor};
use crate::model::Model;
use account::Account;
use bytes::Bytes;
use incoming::Ringing;
use request::Shared;
use roster::Roster;
use sip::endpoint::{Indication, Output, TransactionId};
use sip::feature_event::{Service, Setting};
use sip::message::{Message, Method};
use sip::node::{Flow, Transmit};
use sip::time::Instant;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long `shutdown` may take, whatever the server does: our choice.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// What a user agent is built from.
#[derive(Clone, Debug)]
pub struct UaConfig {
    /// The address that it sends from and listens on, for every transport.
    pub sip: SocketAddr,
    /// Texts, timers and limits.
    pub model: Arc<Model>,
    /// What is wrong with it.
    pub defects: Defects,
    /// The source of every tag, branch and Call-ID.
    pub seed: u64,
}

/// What a user agent wants.
#[derive(Clone, Debug)]
pub enum UaOutput {
    /// Close the connection of this SIP stream.
    CloseFlow(Flow),
    /// Put these bytes on a SIP flow.
    Transmit(Transmit),
    /// Something that its owner should know.
    Indication(UaIndication),
    /// Nothing more to do until this point in time.
    Timeout(Option<Instant>),
    /// It has ended after `shutdown` and wants nothing more.
    Ended,
}

/// What happened to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UaIndication {
    /// The account has a binding at the registrar.
    Registered {
        /// Whose.
        handset: Ipui,
    },
    /// The account has no binding any more.
    Unregistered {
        /// Whose.
        handset: Ipui,
    },
    /// The account's subscription came up or went down.
    Synchronised {
        /// Whose.
        handset: Ipui,
        /// Whether it is up.
        on: bool,
    },
    /// The server notified the state of a service; absent fields were absent on the wire.
    State {
        /// Whose.
        handset: Ipui,
        /// Which service.
        service: Service,
        /// What the server says.
        setting: Setting,
    },
    /// A change that the user asked for will not be.
    ChangeRefused {
        /// Whose.
        handset: Ipui,
        /// Which service.
        service: Service,
    },
    /// A call of this handset is over, or was never answered.
    CallEnded {
        /// Whose.
        handset: Ipui,
        /// Why, for the display and the console.
        cause: String,
    },
    /// The server asks the base to fetch its provisioning.
    CheckSync {
        /// Whether it also asks for a reboot.
        reboot: bool,
    },
    /// A line for the console.
    Log(String),
}

/// The SIP side of a base.
#[derive(Clone, Debug)]
pub struct UserAgent {
    shared: Shared,
    interceptor: Option<Interceptor>,
    roster: Roster,
    ringing: Vec<Ringing>,
    leaked: VecDeque<UaIndication>,
    endpoint_deadline: Option<Instant>,
    /// When a shutdown under way ends at the latest.
    shutdown_by: Option<Instant>,
}

impl UserAgent {
    /// A user agent without accounts.
    #[must_use]
    pub fn new(config: UaConfig) -> Self {
        let interceptor = config.defects.interceptor().cloned().map(Interceptor::new);
        Self {
            shared: Shared::new(config),
            interceptor,
            roster: Roster::default(),
            ringing: Vec::new(),
            leaked: VecDeque::new(),
            endpoint_deadline: None,
            shutdown_by: None,
        }
    }

    /// Draws everything random from this seed from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.shared.endpoint.reseed(seed);
        self.each(|_| true, |account, shared| account.reseed(shared));
    }

    /// Takes the accounts as they now are: registers, subscribes, unsubscribes and de-registers by difference.
    pub fn configure(&mut self, now: Instant, accounts: &[AccountSettings]) {
        let other = |settings: &&AccountSettings| {
            let known = self.roster.settings(&settings.handset);
            known != Some(*settings)
        };
        let fresh = accounts.iter().filter(other).count();
        let pace = &self.shared.model.pace;
        self.shared.register_spread = pace.of_registers(fresh);
        self.shared.subscribe_spread = pace.of_subscribes(accounts.len());
        let mixed_up = self.shared.has(Defect::SubscribesForTheFirstAccount);
        let kept: BTreeSet<&Ipui> = accounts.iter().map(|settings| &settings.handset).collect();
        self.each(
            |handset| !kept.contains(handset),
            |account, shared| account.dismiss(now, shared),
        );
        let first = accounts.first().filter(|_| mixed_up);
        let first = first.cloned().map(Arc::new);
        for settings in accounts {
            let settings = Arc::new(settings.clone());
            let identity = Arc::clone(first.as_ref().unwrap_or(&settings));
            let handset = settings.handset.clone();
            let shared = &mut self.shared;
            if self.roster.contains(&handset) {
                self.roster.work(shared, &handset, |account, shared| {
                    account.configure(now, shared, settings, identity);
                });
            } else {
                let account = Account::start(now, shared, settings, identity);
                self.roster.insert(shared, &handset, account);
            }
        }
        self.settle(now);
    }

    /// Takes a datagram or a piece of a stream.
    pub fn handle_sip(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        match &mut self.interceptor {
            Some(interceptor) => interceptor.handle_receive(now, flow, &bytes),
            None => self.shared.endpoint.handle_sip(now, flow, bytes),
        }
        self.settle(now);
    }

    /// A stream could not be opened, or ended.
    pub fn handle_flow_closed(&mut self, now: Instant, flow: Flow) {
        self.shared.endpoint.handle_flow_closed(now, flow);
        self.settle(now);
        self.each(
            |_| true,
            |account, shared| account.handle_flow_closed(now, shared, flow),
        );
        self.settle(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.shared.endpoint.handle_timeout(now);
        self.settle(now);
        for handset in self.roster.due(now) {
            self.work(&handset, |account, shared| {
                account.handle_timeout(now, shared);
            });
        }
        self.give_up_ringing(now);
        self.settle(now);
    }

    /// Asks the server for a setting of a service. The answer is a `State` or a `ChangeRefused`.
    pub fn change_service(
        &mut self,
        now: Instant,
        handset: &Ipui,
        service: Service,
        setting: Setting,
    ) {
        let known = self.work(handset, |account, shared| {
            account.change_service(now, shared, service, setting);
        });
        if known.is_none() {
            let handset = handset.clone();
            self.shared
                .indicate(UaIndication::ChangeRefused { handset, service });
        }
        self.settle(now);
    }

    /// Calls.
    pub fn dial(&mut self, now: Instant, handset: &Ipui, digits: &str) {
        let known = self.work(handset, |account, shared| account.dial(now, shared, digits));
        if known.is_none() {
            let (handset, cause) = (handset.clone(), "no account".to_owned());
            self.shared
                .indicate(UaIndication::CallEnded { handset, cause });
        }
        self.settle(now);
    }

    /// Ends the handset's call, in whatever state.
    pub fn hang_up(&mut self, now: Instant, handset: &Ipui) {
        self.work(handset, |account, shared| account.hang_up(now, shared));
        self.settle(now);
    }

    /// Unsubscribes and de-registers everything, then says `Ended`.
    pub fn shutdown(&mut self, now: Instant) {
        self.shutdown_by.get_or_insert(now + SHUTDOWN);
        self.each(|_| true, |account, shared| account.dismiss(now, shared));
        self.settle(now);
    }

    /// The next thing it wants.
    pub fn poll_output(&mut self) -> UaOutput {
        if let Some(indication) = self.leaked.pop_front() {
            return UaOutput::Indication(indication);
        }
        let Some(output) = self.shared.outputs.pop_front() else {
            return UaOutput::Timeout(self.deadline());
        };
        if self.shared.has(Defect::LeaksStateToOtherHandsets) {
            self.leak(&output);
        }
        output
    }

    fn deadline(&self) -> Option<Instant> {
        let ringing = self.ringing.iter().map(Ringing::deadline).min();
        let held = self.interceptor.as_ref().and_then(Interceptor::deadline);
        let own = [
            self.endpoint_deadline,
            self.shutdown_by,
            self.roster.deadline(),
            ringing,
            held,
        ];
        own.into_iter().flatten().min()
    }

    /// Lets the account of a handset work; `None` when there is none.
    fn work<R>(
        &mut self,
        handset: &Ipui,
        work: impl FnOnce(&mut Account, &mut Shared) -> R,
    ) -> Option<R> {
        self.roster.work(&mut self.shared, handset, work)
    }

    /// Lets every account work whose handset is one of those.
    fn each(&mut self, which: impl Fn(&Ipui) -> bool, work: impl Fn(&mut Account, &mut Shared)) {
        let handsets = self.roster.handsets().filter(|handset| which(handset));
        for handset in handsets.cloned().collect::<Vec<_>>() {
            self.work(&handset, &work);
        }
    }

    /// Carries everything to where it belongs, until nothing moves.
    fn settle(&mut self, now: Instant) {
        loop {
            match self.shared.endpoint.poll_output() {
                Output::CloseFlow(flow) => {
                    self.shared.outputs.push_back(UaOutput::CloseFlow(flow));
                }
                Output::Transmit(transmit) => match &mut self.interceptor {
                    Some(interceptor) => interceptor.handle_send(now, transmit),
                    None => self.shared.outputs.push_back(UaOutput::Transmit(transmit)),
                },
                Output::Indication(indication) => self.on_indication(now, indication),
                Output::Timeout(deadline) => {
                    self.endpoint_deadline = deadline;
                    match self.interceptor.as_mut().and_then(|wire| wire.poll(now)) {
                        Some(Held::Send(transmit)) => {
                            self.shared.outputs.push_back(UaOutput::Transmit(transmit));
                        }
                        Some(Held::Receive(flow, bytes)) => {
                            self.shared.endpoint.handle_sip(now, flow, bytes);
                        }
                        None => break,
                    }
                }
            }
        }
        self.roster.dismiss_gone();
        let late = self.shutdown_by.is_some_and(|by| by <= now);
        if self.shutdown_by.is_some() && (late || self.roster.is_empty()) {
            self.shutdown_by = None;
            self.roster.clear();
            self.shared.outputs.push_back(UaOutput::Ended);
        }
    }

    fn on_indication(&mut self, now: Instant, indication: Indication) {
        match indication {
            Indication::Request {
                transaction,
                message,
                ..
            } => self.on_request(now, transaction, &message),
            Indication::Response {
                transaction,
                flow,
                message,
            } => self.on_response(now, transaction, flow, &message),
            Indication::Failed { transaction, cause } => {
                let handset = self.shared.owners.remove(&transaction);
                if let Some(handset) = handset {
                    self.work(&handset, |account, shared| {
                        account.handle_failure(now, shared, transaction, cause);
                    });
                }
            }
            Indication::Garbage { error, .. } => {
                self.shared
                    .indicate(UaIndication::Log(format!("sip {error}")));
            }
            Indication::Ack { .. } | Indication::Stray { .. } => {}
        }
    }

    fn on_response(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        flow: Flow,
        response: &Message,
    ) {
        let code = response.status().unwrap_or_default();
        let method = response.cseq().map(|(_, method)| method);
        // An INVITE may be answered by several 2xx.
        let over = code >= 300 || (code >= 200 && method != Some(Method::Invite));
        let handset = if over {
            self.shared.owners.remove(&transaction)
        } else {
            self.shared.owners.get(&transaction).cloned()
        };
        if let Some(handset) = handset {
            self.work(&handset, |account, shared| {
                account.handle_response(now, shared, transaction, flow, response);
            });
        }
    }

    /// Read at handing states to the owner: `leaks-state-to-other-handsets` gives every handset the state of each.
    fn leak(&mut self, output: &UaOutput) {
        if let UaOutput::Indication(UaIndication::State {
            handset,
            service,
            setting,
        }) = output
        {
            for other in self.roster.handsets().filter(|other| *other != handset) {
                self.leaked.push_back(UaIndication::State {
                    handset: other.clone(),
                    service: *service,
                    setting: setting.clone(),
                });
            }
        }
    }
}
