//! The application server: what comes in, what goes out, and the verbs that a scenario calls.
//!
//! The server is pure: bytes and `now` in, bytes and the next deadline out. It owns one
//! [`Endpoint`] for its transactions and lists of accounts, bindings, subscriptions and calls; what it does later stands in
//! a list of jobs. Requests are judged in `requests`, subscriptions in `subscribe`
//! and `notify`, feature codes in `calls`, HTTP in
//! `control`, odd NOTIFYs in `odd_notify`. After every verb the driver drains `poll_output`.

mod calls;
mod control;
mod notify;
mod odd_notify;
mod requests;
mod subscribe;

use crate::account::{Account, UserConfig};
use crate::dialect::{Algorithm, Dialect, Extent};
use crate::fault::{Fault, FaultId, FaultPlan, LoadedFault, Subject};
use crate::registrar::{Binding, Bindings, ExpiresPolicy};
use crate::service::{Origin, ServiceState};
use crate::watch::{Watch, WatchId, Watches};
use bytes::Bytes;
use calls::{Call, CallId};
use notify::{News, Owed};
use sip::digest::{self, ChallengePolicy, Challenger, Qop};
use sip::endpoint::{self, Endpoint, Indication, TransactionId};
use sip::feature_event::{Service, Setting};
use sip::message::Message;
use sip::node::{Flow, Input, Node, Output, Transport, digest_of};
use sip::time::Instant;
use sip::timer::Timers;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The product it plays.
    pub dialect: Dialect,
    /// The addresses it listens on.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// The domain of its accounts.
    pub domain: String,
    /// Everything random follows from it.
    pub seed: u64,
}

/// A subscription as the server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// The Call-ID of its dialog.
    pub call_id: String,
    /// The tag that the base chose.
    pub remote_tag: String,
    /// The tag that the server chose.
    pub local_tag: String,
    /// The Contact of the base.
    pub contact: String,
    /// The flow that its last SUBSCRIBE came on.
    pub flow: Flow,
    /// The number of the last NOTIFY.
    pub notify_cseq: u32,
    /// When it ends if it is not refreshed.
    pub expires_at: Option<Instant>,
}

/// Which lifetimes a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Of bindings.
    Registration,
    /// Of subscriptions.
    Subscription,
}

/// Something the server does later.
#[derive(Clone, Debug)]
enum Job {
    AnswerCall(CallId),
    /// Bindings of this account may be over.
    ExpireBindings(String),
    /// This subscription may be over.
    ExpireWatch(WatchId),
    HangUp(CallId),
    /// A request that a fault delayed is looked at.
    Look {
        transaction: TransactionId,
        flow: Flow,
        message: Message,
    },
    Notify {
        watch: WatchId,
        owed: Vec<Owed>,
    },
    Respond {
        transaction: TransactionId,
        response: Message,
    },
    StoreCall(CallId),
}

/// The mock application server.
#[derive(Clone, Debug)]
pub struct AppServer {
    dialect: Dialect,
    listen: Vec<(Transport, SocketAddr)>,
    domain: String,
    endpoint: Endpoint,
    challenger: Challenger,
    register_expires: ExpiresPolicy,
    subscribe_expires: ExpiresPolicy,
    accounts: BTreeMap<String, Account>,
    bindings: BTreeMap<String, Bindings>,
    watches: Watches,
    /// The last subscription that ended, by account.
    ended: BTreeMap<String, Watch>,
    /// NOTIFYs on their way: whose, and which number.
    notifies: BTreeMap<TransactionId, (WatchId, u32)>,
    calls: BTreeMap<CallId, Call>,
    closed_flows: BTreeSet<Flow>,
    faults: FaultPlan,
    jobs: BTreeMap<(Instant, u64), Job>,
    last_number: u64,
    /// The latest time that anyone has named.
    now: Instant,
    out: VecDeque<Output>,
}

impl AppServer {
    /// A server without accounts.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        let ServerConfig {
            dialect,
            listen,
            domain,
            seed,
        } = config;
        let (register, subscribe) = (&dialect.registration, &dialect.subscription);
        Self {
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
            listen,
            domain,
            accounts: BTreeMap::new(),
            bindings: BTreeMap::new(),
            watches: Watches::default(),
            ended: BTreeMap::new(),
            notifies: BTreeMap::new(),
            calls: BTreeMap::new(),
            closed_flows: BTreeSet::new(),
            faults: FaultPlan::default(),
            jobs: BTreeMap::new(),
            last_number: 0,
            now: Instant::EPOCH,
            out: VecDeque::new(),
        }
    }

    /// The habits it follows.
    #[must_use]
    pub const fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The addresses it listens on.
    #[must_use]
    pub fn listen(&self) -> &[(Transport, SocketAddr)] {
        &self.listen
    }

    /// The domain of its accounts.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Sets an account up, or sets it up anew.
    pub fn add_user(&mut self, _now: Instant, user: UserConfig) {
        self.accounts.insert(user.name.clone(), Account::new(user));
    }

    /// Removes an account with its bindings; its subscriptions end with `noresource`.
    pub fn remove_user(&mut self, now: Instant, user: &str) {
        self.end_subscription(now, user, Some("noresource"), None);
        self.accounts.remove(user);
        self.bindings.remove(user);
    }

    /// Changes a service from outside the subscription: the portal, a feature code, or another handset of the account. When
    /// it is a change, every subscription of the account is notified. Returns whether it was one; an account or service that
    /// does not exist is none.
    pub fn set_service(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        setting: Setting,
        origin: Origin,
    ) -> bool {
        self.now = now;
        let Some(account) = self.accounts.get_mut(user) else {
            return false;
        };
        let before = account.assigned(service).cloned();
        let differs = account.store(now, service, setting, origin);
        if let Some(before) = before.filter(|_| differs) {
            let news = News {
                extent: self.dialect.notify.after_server_change.value,
                services: vec![service],
                before: vec![(service, before)],
            };
            self.tell(now, Duration::ZERO, user, &news, None);
        }
        differs
    }

    /// Changes a service in the server's memory without telling anyone: what a refresh then brings to light.
    pub fn set_service_silently(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        setting: Setting,
    ) -> bool {
        self.accounts
            .get_mut(user)
            .is_some_and(|account| account.store(now, service, setting, Origin::Portal))
    }

    /// Gives an account a service or takes it away. Every subscription is notified of the whole state, in which an
    /// unassigned service does not stand. Returns whether anything changed.
    pub fn set_assigned(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        assigned: bool,
    ) -> bool {
        self.now = now;
        let changed = self
            .accounts
            .get_mut(user)
            .is_some_and(|account| account.assign(service, assigned));
        if changed {
            let news = News {
                extent: Extent::FullState,
                services: Vec::new(),
                before: Vec::new(),
            };
            self.tell(now, Duration::ZERO, user, &news, None);
        }
        changed
    }

    /// Adds a fault to the plan. The caller has checked it if it came from outside ([`Fault::check`]).
    pub fn load_fault(&mut self, fault: Fault) -> FaultId {
        self.faults.load(fault)
    }

    /// Removes one fault. Whether there was one.
    pub fn remove_fault(&mut self, id: FaultId) -> bool {
        self.faults.remove(id)
    }

    /// Empties the fault plan. What faults have already delayed still comes.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The fault plan with how often each fault was used.
    #[must_use]
    pub fn faults(&self) -> Vec<&LoadedFault> {
        self.faults.list().collect()
    }

    /// Sets how lifetimes are granted from now on.
    pub const fn set_expires_policy(&mut self, of: Lifetime, policy: ExpiresPolicy) {
        match of {
            Lifetime::Registration => self.register_expires = policy,
            Lifetime::Subscription => self.subscribe_expires = policy,
        }
    }

    /// Makes every nonce that was given out stale: the next request with one is challenged with `stale=true`.
    pub fn expire_nonces(&mut self) {
        self.challenger.expire_nonces();
    }

    /// The server process dies and comes back at once: bindings, subscriptions, calls, transactions and nonces are gone
    /// without a word, accounts with their services and the fault plan remain.
    pub fn restart(&mut self) {
        let seed = self.endpoint.rng().u64(..);
        self.endpoint = Endpoint::new(self.endpoint.timers().clone(), seed);
        self.challenger = challenger(&self.dialect, seed);
        self.bindings.clear();
        self.watches.clear();
        self.ended.clear();
        self.notifies.clear();
        self.calls.clear();
        self.jobs.clear();
    }

    /// A service of an account.
    #[must_use]
    pub fn service(&self, user: &str, service: Service) -> Option<&ServiceState> {
        self.accounts.get(user)?.service(service)
    }

    /// The code that switches a service on or off, as the dialect has it; absent when it has none.
    #[must_use]
    pub fn feature_code(&self, service: Service, active: bool) -> Option<&str> {
        let code = self.dialect.feature_codes.get(&service)?;
        Some(if active {
            &code.activate.value
        } else {
            &code.deactivate.value
        })
    }

    /// The names of the accounts.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.accounts.keys().map(String::as_str)
    }

    /// The contacts an account is bound to. One whose time is over may still stand here until the next time-out.
    #[must_use]
    pub fn bindings(&self, user: &str) -> &[Binding] {
        self.bindings.get(user).map_or(&[], Bindings::list)
    }

    /// The live subscriptions of an account, the oldest first.
    #[must_use]
    pub fn subscriptions(&self, user: &str) -> Vec<SubscriptionView> {
        let mine = self.watches.of(user).into_iter();
        mine.filter_map(|id| self.watches.get(id))
            .map(Watch::view)
            .collect()
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn later(&mut self, at: Instant, job: Job) {
        let number = self.next_number();
        self.jobs.insert((at, number), job);
    }

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A branch in the style of the dialect.
    fn new_branch(&mut self) -> String {
        let branch = self.endpoint.new_branch();
        let tail = branch.strip_prefix("z9hG4bK").unwrap_or(&branch);
        format!("{}{tail}", self.dialect.style.branch_prefix.value)
    }

    /// The server's own contact on a flow.
    fn contact(flow: Flow) -> String {
        match flow.transport {
            Transport::Udp => format!("<sip:{}>", flow.local),
            Transport::Tcp => format!("<sip:{};transport=tcp>", flow.local),
            Transport::Tls => format!("<sips:{}>", flow.local),
        }
    }

    fn respond(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        writer: &crate::writer::Writer,
    ) {
        match writer.build() {
            Ok(response) => self.endpoint.respond(now, transaction, response),
            Err(_) => debug_assert!(false, "the server wrote a response that cannot be read"),
        }
    }

    fn handle_sip(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
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

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        while let Some(entry) = self.jobs.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let job = entry.remove();
            self.carry_out(now, job);
        }
    }

    fn carry_out(&mut self, now: Instant, job: Job) {
        match job {
            Job::AnswerCall(call) => self.answer_call(now, call),
            Job::ExpireBindings(user) => {
                if let Some(bindings) = self.bindings.get_mut(&user) {
                    bindings.handle_timeout(now);
                }
            }
            Job::ExpireWatch(watch) => self.expire_watch(now, watch),
            Job::HangUp(call) => self.hang_up(now, call),
            Job::Look {
                transaction,
                flow,
                message,
            } => self.look_at(now, transaction, flow, &message),
            Job::Notify { watch, owed } => self.enqueue(now, watch, owed),
            Job::Respond {
                transaction,
                response,
            } => self.endpoint.respond(now, transaction, response),
            Job::StoreCall(call) => self.store_call(now, call),
        }
    }

    fn on_indication(&mut self, now: Instant, indication: Indication) {
        match indication {
            Indication::Request {
                transaction,
                flow,
                message,
            } => self.on_request(now, transaction, flow, message),
            Indication::Response {
                transaction,
                message,
                ..
            } => self.on_notify_answer(now, transaction, &message),
            Indication::Failed { transaction, cause } => {
                self.on_notify_failure(now, transaction, cause);
                self.on_call_failure(now, transaction);
            }
            Indication::Ack { .. } | Indication::Stray { .. } | Indication::Garbage { .. } => {}
        }
    }
}

impl Node for AppServer {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        match input {
            Input::Sip { flow, bytes } => self.handle_sip(now, flow, bytes),
            Input::FlowClosed { flow } => {
                self.closed_flows.insert(flow);
                self.endpoint.handle_flow_closed(now, flow);
            }
            Input::Http { exchange, request } => {
                let response = self.answer_http(now, &request);
                self.out.push_back(Output::HttpReply { exchange, response });
            }
            Input::Shutdown => self.out.push_back(Output::Ended),
            Input::Timeout => self.handle_timeout(now),
            Input::Console(_) | Input::HttpReply { .. } | Input::Resolved { .. } => {}
        }
    }

    fn poll_output(&mut self) -> Output {
        loop {
            match self.endpoint.poll_output() {
                endpoint::Output::CloseFlow(flow) => return Output::CloseFlow(flow),
                endpoint::Output::Transmit(transmit) => return Output::Sip(transmit),
                endpoint::Output::Indication(indication) => {
                    self.on_indication(self.now, indication);
                }
                endpoint::Output::Timeout(at) => {
                    return self.out.pop_front().unwrap_or_else(|| {
                        let job = self.jobs.keys().next().map(|(at, _)| *at);
                        Output::Timeout(at.into_iter().chain(job).min())
                    });
                }
            }
        }
    }

    fn fork(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }

    fn digest(&self) -> u64 {
        digest_of(self)
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
        nonce_life: Duration::from_secs(habits.nonce_life_seconds.value),
        nonce_prefix: habits.nonce_prefix.value.clone(),
        nonce_suffix: habits.nonce_suffix.value.clone(),
        ..ChallengePolicy::new(&habits.realm.value)
    };
    // Nonces must not repeat the branches and tags, which come from the seed itself.
    Challenger::new(policy, seed ^ 0x6e6f_6e63_6573)
}
