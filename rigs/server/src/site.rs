//! A site of the server: a registrar and notifier with its own addresses, dialogs, transactions and plan of faults.
//!
//! Sites of one server share its [`Accounts`]; everything here is lost when the site stops, apart from the plan of faults and
//! the policies, which a scenario has set. Requests are judged in `requests`, subscriptions in `subscribe` and `notify`,
//! calls to feature codes in `calls`, odd NOTIFYs in `odd_notify`. What a site does later stands in a list of jobs. The server
//! drives it and takes what happens to accounts on to the other sites.

mod calls;
mod change;
mod due;
mod notify;
mod odd_notify;
mod requests;
mod subscribe;

use crate::accounts::Accounts;
use crate::dialect::{Algorithm, Dialect};
use crate::fault::{FaultPlan, Subject};
use crate::package::Package;
use crate::registrar::{Binding, Bindings, ExpiresPolicy};
use crate::subscription::{Subscription, SubscriptionId, SubscriptionView, Subscriptions};
use crate::writer::Writer;
use bytes::Bytes;
use calls::{Call, CallId};
use due::DueNotify;
use serde::Serialize;
use sip::digest::{self, ChallengePolicy, Challenger, Qop};
use sip::endpoint::{self, Endpoint, Indication, TransactionId};
use sip::message::Message;
use sip::node::{Flow, Transport};
use sip::subscription::NotifierPolicy;
use sip::time::Instant;
use sip::timer::Timers;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Names a site of a server: its place in [`ServerConfig::sites`](crate::ServerConfig::sites).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SiteId(pub(crate) usize);

impl SiteId {
    /// The first site, which a server with one site has.
    pub const FIRST: Self = Self(0);
}

/// How a site is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteConfig {
    /// Its name, for people and the control interface.
    pub name: String,
    /// The addresses it listens on. No two sites share one.
    pub listen: Vec<(Transport, SocketAddr)>,
}

/// Which lifetimes a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Of bindings.
    Registration,
    /// Of subscriptions.
    Subscription,
}

/// Something the site does later.
#[derive(Clone, Debug)]
enum Job {
    AnswerCall(CallId),
    /// Bindings of this account may be over.
    ExpireBindings(String),
    /// This subscription may be over.
    ExpireSubscription(SubscriptionId),
    HangUp(CallId),
    /// A request that a fault delayed is looked at.
    Look {
        transaction: TransactionId,
        flow: Flow,
        /// Boxed, as below: a site has a job for each of its subscriptions, and most wait for an expiry.
        message: Box<Message>,
    },
    Notify {
        subscription: SubscriptionId,
        due: Vec<DueNotify>,
    },
    Respond {
        transaction: TransactionId,
        response: Box<Message>,
    },
    StoreCall(CallId),
}

/// A site.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    id: SiteId,
    config: SiteConfig,
    dialect: Arc<Dialect>,
    domain: String,
    running: bool,
    endpoint: Endpoint,
    challenger: Challenger,
    register_expires: ExpiresPolicy,
    subscribe_expires: ExpiresPolicy,
    bindings: BTreeMap<String, Bindings>,
    subscriptions: Subscriptions,
    /// The last subscription that ended, by account and package.
    ended: BTreeMap<(String, Package), Subscription>,
    /// What subscriptions were granted by lately, to be shared by those that are alike.
    policies: VecDeque<Arc<NotifierPolicy>>,
    /// NOTIFYs on their way: whose, and which number.
    notifies: BTreeMap<TransactionId, (SubscriptionId, u32)>,
    calls: BTreeMap<CallId, Call>,
    /// Flows that have ended; of those before the last only the ones that a binding or a subscription still names.
    closed_flows: BTreeSet<Flow>,
    faults: FaultPlan,
    jobs: BTreeMap<(Instant, u64), Job>,
    last_number: u64,
}

impl Site {
    pub(crate) fn new(
        id: SiteId,
        config: SiteConfig,
        dialect: Arc<Dialect>,
        domain: &str,
        seed: u64,
    ) -> Self {
        let (register, subscribe) = (&dialect.registration, &dialect.subscription);
        Self {
            id,
            config,
            domain: domain.to_owned(),
            running: true,
            register_expires: ExpiresPolicy {
                default: register.default_expires.value,
                min: register.min_expires.value,
                max: register.max_expires.value,
            },
            subscribe_expires: ExpiresPolicy {
                default: subscribe.default_expires.value,
                min: subscribe.min_expires.value,
                max: subscribe.max_expires.value,
            },
            endpoint: Endpoint::new(Timers::default(), seed),
            challenger: challenger(&dialect, seed),
            dialect,
            bindings: BTreeMap::new(),
            subscriptions: Subscriptions::default(),
            ended: BTreeMap::new(),
            policies: VecDeque::new(),
            notifies: BTreeMap::new(),
            calls: BTreeMap::new(),
            closed_flows: BTreeSet::new(),
            faults: FaultPlan::default(),
            jobs: BTreeMap::new(),
            last_number: 0,
        }
    }

    pub(crate) const fn id(&self) -> SiteId {
        self.id
    }

    pub(crate) const fn config(&self) -> &SiteConfig {
        &self.config
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running
    }

    pub(crate) const fn faults(&self) -> &FaultPlan {
        &self.faults
    }

    pub(crate) const fn faults_mut(&mut self) -> &mut FaultPlan {
        &mut self.faults
    }

    pub(crate) const fn set_expires_policy(&mut self, of: Lifetime, policy: ExpiresPolicy) {
        match of {
            Lifetime::Registration => self.register_expires = policy,
            Lifetime::Subscription => self.subscribe_expires = policy,
        }
    }

    /// Draws branches, tags, Call-IDs and nonces from this seed from now on.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.endpoint.reseed(seed);
        self.challenger.reseed(nonce_seed(seed));
    }

    pub(crate) fn expire_nonces(&mut self) {
        self.challenger.expire_nonces();
    }

    /// The process of the site ends as if killed: nobody is told, and nothing that it kept in memory is left.
    pub(crate) fn stop(&mut self, accounts: &mut Accounts) {
        self.running = false;
        let seed = self.endpoint.rng().u64(..);
        self.endpoint = Endpoint::new(self.endpoint.timers().clone(), seed);
        self.challenger = challenger(&self.dialect, seed);
        self.bindings.clear();
        self.subscriptions.clear();
        accounts.disown_all(self.id);
        self.ended.clear();
        self.notifies.clear();
        self.calls.clear();
        self.jobs.clear();
    }

    pub(crate) const fn start(&mut self) {
        self.running = true;
    }

    pub(crate) fn forget_bindings(&mut self, user: &str) {
        self.bindings.remove(user);
    }

    /// The contacts an account is bound to. One whose time is over may still stand here until the next time-out.
    pub(crate) fn bindings(&self, user: &str) -> &[Binding] {
        self.bindings.get(user).map_or(&[], Bindings::list)
    }

    /// The live subscriptions of an account, the oldest first.
    pub(crate) fn subscriptions<'s>(
        &'s self,
        accounts: &Accounts,
        user: &str,
    ) -> impl Iterator<Item = SubscriptionView> + 's {
        let served = accounts.served_at(self.id, user).into_iter();
        served
            .filter_map(|id| self.subscriptions.get(id))
            .map(|subscription| subscription.view(self.id))
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn later(&mut self, at: Instant, job: Job) {
        let number = self.next_number();
        self.jobs.insert((at, number), job);
    }

    const fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A branch in the style of the dialect.
    fn new_branch(&mut self) -> String {
        let branch = self.endpoint.new_branch();
        let tail = branch.strip_prefix("z9hG4bK").unwrap_or(&branch);
        format!("{}{tail}", self.dialect.style.branch_prefix.value)
    }

    /// The site's own contact on a flow.
    fn contact(flow: Flow) -> String {
        match flow.transport {
            Transport::Udp => format!("<sip:{}>", flow.local),
            Transport::Tcp => format!("<sip:{};transport=tcp>", flow.local),
            Transport::Tls => format!("<sips:{}>", flow.local),
        }
    }

    fn respond(&mut self, now: Instant, transaction: TransactionId, writer: &Writer) {
        match writer.build() {
            Ok(response) => self.endpoint.respond(now, transaction, response),
            Err(_) => debug_assert!(false, "the server wrote a response that cannot be read"),
        }
    }

    pub(crate) fn handle_sip(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if !self.running {
            return;
        }
        self.closed_flows.remove(&flow);
        // A datagram is dropped before its transaction can see it, so that a retransmission is a new chance. On a stream
        // there is none, and the request is dropped where it is looked at.
        if !flow.transport.is_reliable()
            && self.faults.may_drop()
            && let Ok(message) = Message::parse(bytes.clone())
            && message.method().is_some()
            && self.faults.drops(&Subject::of_request(&message))
        {
            return;
        }
        self.endpoint.handle_sip(now, flow, bytes);
    }

    pub(crate) fn handle_flow_closed(&mut self, now: Instant, flow: Flow) {
        let named: BTreeSet<Flow> = self
            .bindings
            .values()
            .flat_map(Bindings::list)
            .map(|binding| binding.flow)
            .chain(self.subscriptions.flows())
            .collect();
        self.closed_flows.retain(|closed| named.contains(closed));
        self.closed_flows.insert(flow);
        self.endpoint.handle_flow_closed(now, flow);
    }

    /// Time has passed for the transactions; jobs are carried out one by one ([`Self::carry_out_next`]).
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
    }

    /// Carries out the next job that is due. Whether there was one.
    pub(crate) fn carry_out_next(&mut self, accounts: &mut Accounts, now: Instant) -> bool {
        let Some(entry) = self.jobs.first_entry().filter(|job| job.key().0 <= now) else {
            return false;
        };
        let job = entry.remove();
        self.carry_out(accounts, now, job);
        true
    }

    fn carry_out(&mut self, accounts: &mut Accounts, now: Instant, job: Job) {
        match job {
            Job::AnswerCall(call) => self.answer_call(now, call),
            Job::ExpireBindings(user) => {
                if let Some(bindings) = self.bindings.get_mut(&user) {
                    bindings.handle_timeout(now);
                }
            }
            Job::ExpireSubscription(subscription) => {
                self.expire_subscription(accounts, now, subscription);
            }
            Job::HangUp(call) => self.hang_up(now, call),
            Job::Look {
                transaction,
                flow,
                message,
            } => self.look_at(accounts, now, transaction, flow, &message),
            Job::Notify { subscription, due } => self.enqueue(accounts, now, subscription, due),
            Job::Respond {
                transaction,
                response,
            } => self.endpoint.respond(now, transaction, *response),
            Job::StoreCall(call) => self.store_call(accounts, now, call),
        }
    }

    /// What the transactions want.
    pub(crate) fn poll_endpoint(&mut self) -> endpoint::Output {
        self.endpoint.poll_output()
    }

    /// When the next job is due.
    pub(crate) fn next_job(&self) -> Option<Instant> {
        self.jobs.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn on_indication(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        indication: Indication,
    ) {
        match indication {
            Indication::Request {
                transaction,
                flow,
                message,
            } => self.on_request(accounts, now, transaction, flow, message),
            Indication::Response {
                transaction,
                message,
                ..
            } => self.on_notify_answer(accounts, now, transaction, &message),
            Indication::Failed { transaction, cause } => {
                self.on_notify_failure(accounts, now, transaction, cause);
                self.on_call_failure(now, transaction);
            }
            Indication::Ack { .. } | Indication::Stray { .. } | Indication::Garbage { .. } => {}
        }
    }
}

fn challenger(dialect: &Dialect, seed: u64) -> Challenger {
    let habits = &dialect.digest;
    let algorithm = match habits.algorithm.value {
        Algorithm::Md5 => digest::Algorithm::MD5,
        Algorithm::Sha256 => digest::Algorithm::SHA_256,
    };
    let policy = ChallengePolicy {
        algorithms: vec![algorithm],
        qop: Qop::from_token(&habits.qop.value).into_iter().collect(),
        nonce_life: Duration::from_secs(habits.nonce_lifetime_seconds.value),
        nonce_prefix: habits.nonce_prefix.value.clone(),
        nonce_suffix: habits.nonce_suffix.value.clone(),
        ..ChallengePolicy::new(&habits.realm.value)
    };
    Challenger::new(policy, nonce_seed(seed))
}

/// Nonces must not repeat the branches and tags, which come from the seed itself.
const fn nonce_seed(seed: u64) -> u64 {
    seed ^ 0x6e6f_6e63_6573
}
