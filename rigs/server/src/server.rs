//! The application server: one set of accounts, one or more sites that share it, and the verbs that a scenario calls.
//!
//! The server is one pure node with several addresses: the local address of an input says which site it is for, that of an
//! output which site sends. Whatever changes an account at one site is taken to the subscriptions at every site before a
//! verb returns. HTTP is answered in `control`; what only a mock can do stands in `faults`, what a user's portal can do in
//! `portal`. After every verb the driver drains `poll_output`.

mod control;
mod faults;
mod portal;

use crate::account::UserConfig;
use crate::accounts::Accounts;
use crate::dialect::Dialect;
use crate::fault::Ending;
use crate::registrar::Binding;
use crate::service::{Origin, ServiceState};
use crate::site::{Site, SiteConfig, SiteId};
use crate::subscription::SubscriptionView;
use bytes::Bytes;
use sip::endpoint;
use sip::node::{Flow, Input, Node, Output, Transport, digest_of};
use sip::service::{Service, Setting};
use sip::time::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The product it plays.
    pub dialect: Arc<Dialect>,
    /// Its sites; they share the accounts.
    pub sites: Vec<SiteConfig>,
    /// The domain of its accounts.
    pub domain: String,
    /// Everything random follows from it.
    pub seed: u64,
}

impl ServerConfig {
    /// A server with one site, which listens on these addresses.
    #[must_use]
    pub fn one_site(
        dialect: impl Into<Arc<Dialect>>,
        listen: Vec<(Transport, SocketAddr)>,
        domain: &str,
        seed: u64,
    ) -> Self {
        let name = "main".to_owned();
        Self {
            dialect: dialect.into(),
            sites: vec![SiteConfig { name, listen }],
            domain: domain.to_owned(),
            seed,
        }
    }
}

/// The mock application server.
#[derive(Clone, Debug)]
pub struct AppServer {
    dialect: Arc<Dialect>,
    domain: String,
    accounts: Accounts,
    sites: Vec<Site>,
    /// The latest time that anyone has named.
    now: Instant,
    out: VecDeque<Output>,
}

impl AppServer {
    /// A server without accounts, all of whose sites run.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        let ServerConfig {
            dialect,
            sites,
            domain,
            seed,
        } = config;
        let site = |(index, config)| {
            let seed = seed_of_site(seed, index);
            Site::new(SiteId(index), config, Arc::clone(&dialect), &domain, seed)
        };
        let sites = sites.into_iter().enumerate().map(site).collect();
        Self {
            sites,
            dialect,
            domain,
            accounts: Accounts::default(),
            now: Instant::EPOCH,
            out: VecDeque::new(),
        }
    }

    /// The habits it follows.
    #[must_use]
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The domain of its accounts.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Its sites.
    pub fn sites(&self) -> impl Iterator<Item = (SiteId, &SiteConfig)> {
        self.sites.iter().map(|site| (site.id(), site.config()))
    }

    /// The site of this name.
    #[must_use]
    pub fn site_named(&self, name: &str) -> Option<SiteId> {
        let mut sites = self.sites();
        sites
            .find(|(_, config)| config.name == name)
            .map(|(id, _)| id)
    }

    /// The addresses that a site listens on.
    #[must_use]
    pub fn listen(&self, site: SiteId) -> &[(Transport, SocketAddr)] {
        let site = self.sites.get(site.0);
        site.map_or(&[], |site| &site.config().listen)
    }

    /// Whether a site runs.
    #[must_use]
    pub fn is_running(&self, site: SiteId) -> bool {
        self.sites.get(site.0).is_some_and(Site::is_running)
    }

    /// Sets an account up, or sets it up anew.
    pub fn add_user(&mut self, _now: Instant, user: UserConfig) {
        self.accounts.insert(user);
    }

    /// Removes an account with its bindings; its subscriptions end with `noresource` at every site.
    pub fn remove_user(&mut self, now: Instant, user: &str) {
        self.now = now;
        let ending = Ending::because("noresource");
        for site in &mut self.sites {
            site.end_subscriptions(&mut self.accounts, now, &user.into(), &ending);
            site.forget_bindings(user);
        }
        self.accounts.remove(user);
    }

    /// Changes a service from outside the subscription: the portal, a feature code, or another handset of the account. When
    /// it is a change, every subscription of the account is notified, at every site. Returns whether it was one; an
    /// account or service that does not exist is none.
    pub fn set_service(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        setting: Setting,
        origin: Origin,
    ) -> bool {
        self.now = now;
        let differs = self.accounts.change(now, user, service, setting, origin);
        self.notify_updates();
        differs
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
        let changed = self.accounts.assign(user, service, assigned);
        self.notify_updates();
        changed
    }

    /// A service of an account.
    #[must_use]
    pub fn service(&self, user: &str, service: Service) -> Option<&ServiceState> {
        self.accounts.get(user)?.service(service)
    }

    /// The names of the accounts.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.accounts.names()
    }

    /// The contacts an account is bound to, of every site. One whose time is over may still stand here until the next
    /// time-out. For the tests of this crate and the control interface: a scenario asks the evidence.
    #[must_use]
    pub fn bindings(&self, user: &str) -> Vec<Binding> {
        let sites = self.sites.iter();
        sites
            .flat_map(|site| site.bindings(user))
            .cloned()
            .collect()
    }

    /// The live subscriptions of an account, site by site and of each the oldest first. For the tests of this crate and
    /// the control interface: a scenario asks the evidence.
    #[must_use]
    pub fn subscriptions(&self, user: &str) -> Vec<SubscriptionView> {
        let sites = self.sites.iter();
        sites
            .flat_map(|site| site.subscriptions(&self.accounts, user))
            .collect()
    }

    /// Works at one site, then takes what happened to accounts to every site; `None` when there is no such site.
    fn at<R>(
        &mut self,
        site: SiteId,
        work: impl FnOnce(&mut Site, &mut Accounts) -> R,
    ) -> Option<R> {
        let site = self.sites.get_mut(site.0);
        debug_assert!(site.is_some(), "a site that this server does not have");
        let result = work(site?, &mut self.accounts);
        self.notify_updates();
        Some(result)
    }

    /// Takes each change of an account to the subscriptions at every site.
    fn notify_updates(&mut self) {
        while let Some(update) = self.accounts.poll_update() {
            for site in &mut self.sites {
                site.notify_update(&mut self.accounts, self.now, &update);
            }
        }
    }

    /// The site that an input on this flow is for: the one that listens on the local address, or on every address with
    /// the same port. A server with one site takes everything.
    fn site_of(&self, flow: Flow) -> Option<SiteId> {
        if let [only] = self.sites.as_slice() {
            return Some(only.id());
        }
        let listening = |takes: &dyn Fn(&(Transport, SocketAddr)) -> bool| {
            let mut sites = self.sites.iter();
            sites
                .find(|site| site.config().listen.iter().any(takes))
                .map(Site::id)
        };
        let exact = (flow.transport, flow.local);
        listening(&|own| *own == exact).or_else(|| {
            listening(&|(transport, address)| {
                *transport == flow.transport
                    && address.port() == flow.local.port()
                    && address.ip().is_unspecified()
            })
        })
    }

    fn handle_sip(&mut self, flow: Flow, bytes: Bytes) {
        let now = self.now;
        if let Some(site) = self.site_of(flow) {
            self.at(site, |site, _| site.handle_sip(now, flow, bytes));
        }
    }

    fn handle_timeout(&mut self) {
        let now = self.now;
        for index in 0..self.sites.len() {
            let site = SiteId(index);
            self.at(site, |site, _| site.handle_timeout(now));
            while self.at(site, |site, accounts| site.carry_out_next(accounts, now)) == Some(true) {
            }
        }
    }

    /// What the first site has to send that has anything; otherwise when the next of them has something to do.
    fn poll_sites(&mut self) -> Output {
        let mut next = None;
        let mut index = 0;
        while let Some(site) = self.sites.get_mut(index) {
            match site.poll_endpoint() {
                endpoint::Output::CloseFlow(flow) => return Output::CloseFlow(flow),
                endpoint::Output::Transmit(transmit) => return Output::Sip(transmit),
                endpoint::Output::Indication(indication) => {
                    let now = self.now;
                    self.at(SiteId(index), |site, accounts| {
                        site.on_indication(accounts, now, indication);
                    });
                    // What happened may concern the sites before this one.
                    (next, index) = (None, 0);
                }
                endpoint::Output::Timeout(at) => {
                    next = next.into_iter().chain(at).chain(site.next_job()).min();
                    index += 1;
                }
            }
        }
        Output::Timeout(next)
    }
}

impl Node for AppServer {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        match input {
            Input::Sip { flow, bytes } => self.handle_sip(flow, bytes),
            Input::FlowClosed { flow } => {
                if let Some(site) = self.site_of(flow) {
                    self.at(site, |site, _| site.handle_flow_closed(now, flow));
                }
            }
            Input::Http { exchange, request } => {
                let response = self.answer_http(now, &request);
                self.out.push_back(Output::HttpReply { exchange, response });
            }
            Input::Shutdown => self.out.push_back(Output::Ended),
            Input::Timeout => self.handle_timeout(),
            Input::Console(_) | Input::HttpReply { .. } | Input::Resolved { .. } => {}
        }
    }

    fn poll_output(&mut self) -> Output {
        match self.poll_sites() {
            Output::Timeout(next) => self.out.pop_front().unwrap_or(Output::Timeout(next)),
            output => output,
        }
    }

    fn fork(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }

    fn reseed(&mut self, seed: u64) {
        for (index, site) in self.sites.iter_mut().enumerate() {
            site.reseed(seed_of_site(seed, index));
        }
    }

    fn digest(&self) -> u64 {
        digest_of(self)
    }
}

/// The seed of a site: the server's own for the first, and far apart for the others, so that no two sites choose the same
/// branches, tags and nonces.
const fn seed_of_site(seed: u64, index: usize) -> u64 {
    // Our choice: any odd constant with many bits spreads small numbers over the whole range. It is not the one by which a
    // bench tells servers apart, or a site of one server would repeat another server.
    seed ^ (index as u64).wrapping_mul(0xd1b5_4a32_d192_ed03)
}
