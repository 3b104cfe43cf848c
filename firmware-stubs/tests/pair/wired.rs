//! A user agent and an application server, both pure, on a wire of virtual time.
//!
//! Each datagram takes a seeded time, and may be lost or duplicated. Nothing waits: a day takes milliseconds.

use firmware_stubs::Model;
use firmware_stubs::accounts::{AccountSettings, HostPort, Ipui, Provider, Secret};
use firmware_stubs::defect::Defects;
use firmware_stubs::user_agent::{UaConfig, UaIndication, UaOutput, UserAgent};
use server::dialect::Dialect;
use server::{AppServer, ServerConfig, UserConfig};
use sip::feature_event::{Service, Setting};
use sip::message::{Message, Method};
use sip::node::{Flow, Input, Node as _, Output, Transmit, TransmitReason, Transport};
use sip::time::Instant;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const BASE: &str = "127.0.0.2:5060";
pub(crate) const SERVER: &str = "127.0.0.1:5060";
pub(crate) const ANNA: &str = "029e74a599";
pub(crate) const BEN: &str = "029e74a600";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Base,
    Server,
}

/// A message that left one side.
#[derive(Clone, Debug)]
pub(crate) struct Crossing {
    pub(crate) at: Instant,
    pub(crate) from_base: bool,
    pub(crate) message: Message,
    pub(crate) reason: TransmitReason,
}

/// Both sides and the wire between them.
pub(crate) struct Pair {
    pub(crate) server: AppServer,
    pub(crate) base: UserAgent,
    pub(crate) now: Instant,
    pub(crate) latency: Range<u64>,
    /// Per cent of the datagrams.
    pub(crate) loss: u32,
    /// Per cent of the datagrams.
    pub(crate) duplicated: u32,
    pub(crate) told: Vec<UaIndication>,
    pub(crate) trace: Vec<Crossing>,
    pub(crate) ended: bool,
    shown: BTreeMap<(Ipui, Service), Setting>,
    rng: fastrand::Rng,
    wire: BTreeMap<(Instant, u64), (Side, Transmit)>,
    count: u64,
    base_deadline: Option<Instant>,
    server_deadline: Option<Instant>,
}

impl Pair {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, Defects::default())
    }

    pub(crate) fn with(seed: u64, defects: Defects) -> Self {
        let model = Model::built_in("n870").expect("the model is built in");
        let base = UserAgent::new(UaConfig {
            sip: BASE.parse().expect("an address"),
            model: Arc::new(model),
            defects,
            seed,
        });
        let listen = SERVER.parse().expect("an address");
        let listen = vec![(Transport::Udp, listen), (Transport::Tcp, listen)];
        let seed_of_server = seed ^ 0x5eed;
        let config =
            ServerConfig::one_site(Dialect::broadsoft(), listen, "as.example", seed_of_server);
        let mut server = AppServer::new(config);
        for user in ["anna", "ben"] {
            server.add_user(Instant::EPOCH, UserConfig::new(user, "secret"));
        }
        Self {
            server,
            base,
            now: Instant::EPOCH,
            latency: 5_000..40_000,
            loss: 0,
            duplicated: 0,
            told: Vec::new(),
            trace: Vec::new(),
            ended: false,
            shown: BTreeMap::new(),
            rng: fastrand::Rng::with_seed(seed),
            wire: BTreeMap::new(),
            count: 0,
            base_deadline: None,
            server_deadline: None,
        }
    }

    /// With Anna synchronised.
    pub(crate) fn synchronised(seed: u64) -> Self {
        let mut pair = Self::new(seed);
        pair.configure(&[anna()]);
        assert!(pair.until_synchronised(20), "{:#?}", pair.told);
        pair
    }

    pub(crate) fn configure(&mut self, accounts: &[AccountSettings]) {
        self.base.configure(self.now, accounts);
        self.drain();
    }

    pub(crate) fn until_synchronised(&mut self, seconds: u64) -> bool {
        self.until(seconds, |pair| {
            let last = pair.told.iter().rev().find_map(|told| match told {
                UaIndication::Synchronised { on, .. } => Some(*on),
                _ => None,
            });
            last == Some(true)
        })
    }

    /// Works the server, then lets out what it wants.
    pub(crate) fn serve<T>(&mut self, work: impl FnOnce(&mut AppServer, Instant) -> T) -> T {
        let result = work(&mut self.server, self.now);
        self.drain();
        result
    }

    /// The user asks for a setting at a handset.
    pub(crate) fn ask(&mut self, handset: &str, service: Service, setting: Setting) {
        self.base
            .change_service(self.now, &ipui(handset), service, setting);
        self.drain();
    }

    /// What the handset was last told of a service.
    pub(crate) fn shown(&self, handset: &str, service: Service) -> Option<&Setting> {
        self.shown.get(&(ipui(handset), service))
    }

    /// What the server holds of a service.
    pub(crate) fn stored(&self, user: &str, service: Service) -> Setting {
        let state = self.server.service(user, service).expect("an account");
        state.setting.clone()
    }

    /// The next delivery or deadline. Whether there was one before `end`.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        let delivery = self.wire.keys().next().map(|(at, _)| *at);
        let next = [delivery, self.base_deadline, self.server_deadline];
        let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        if delivery == Some(next) {
            let (_, (side, transmit)) = self.wire.pop_first().expect("a delivery");
            let flow = Flow {
                transport: transmit.flow.transport,
                local: transmit.flow.remote,
                remote: transmit.flow.local,
            };
            let bytes = transmit.bytes;
            match side {
                Side::Base => self.base.handle_sip(self.now, flow, bytes),
                Side::Server => self
                    .server
                    .handle_input(self.now, Input::Sip { flow, bytes }),
            }
        } else if self.base_deadline == Some(next) {
            self.base.handle_timeout(self.now);
        } else {
            self.server.handle_input(self.now, Input::Timeout);
        }
        self.drain();
        true
    }

    /// Lets this many seconds pass.
    pub(crate) fn drive(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.step(end) {}
    }

    /// Drives until the condition holds. Whether it did in time.
    pub(crate) fn until(&mut self, seconds: u64, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + Duration::from_secs(seconds);
        while !holds(self) {
            if !self.step(end) {
                return holds(self);
            }
        }
        true
    }

    /// How many new requests of the base with this method there were since `since`.
    pub(crate) fn requests(&self, method: &Method, since: Instant) -> Vec<&Crossing> {
        let trace = self.trace.iter();
        trace
            .filter(|crossing| crossing.from_base && crossing.at >= since)
            .filter(|crossing| crossing.reason == TransmitReason::First)
            .filter(|crossing| crossing.message.method() == Some(method))
            .collect()
    }

    pub(crate) fn drain(&mut self) {
        loop {
            match self.base.poll_output() {
                UaOutput::Transmit(transmit) => self.carry(Side::Server, transmit),
                UaOutput::Indication(indication) => {
                    if let UaIndication::State {
                        handset,
                        service,
                        setting,
                    } = &indication
                    {
                        let key = (handset.clone(), *service);
                        self.shown.insert(key, setting.clone());
                    }
                    self.told.push(indication);
                }
                UaOutput::CloseFlow(flow) => panic!("{flow:?} is to be closed"),
                UaOutput::Timeout(deadline) => {
                    self.base_deadline = deadline;
                    break;
                }
                UaOutput::Ended => self.ended = true,
            }
        }
        loop {
            match self.server.poll_output() {
                Output::Sip(transmit) => self.carry(Side::Base, transmit),
                Output::Timeout(deadline) => {
                    self.server_deadline = deadline;
                    break;
                }
                _ => {}
            }
        }
    }

    fn carry(&mut self, to: Side, transmit: Transmit) {
        self.trace.push(Crossing {
            at: self.now,
            from_base: to == Side::Server,
            message: Message::parse(transmit.bytes.clone()).expect("both sides send SIP"),
            reason: transmit.reason,
        });
        let reliable = transmit.flow.transport.is_reliable();
        if !reliable && self.rng.u32(..100) < self.loss {
            return;
        }
        let copies = if !reliable && self.rng.u32(..100) < self.duplicated {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let delay = if reliable {
                10_000
            } else {
                self.rng.u64(self.latency.clone())
            };
            self.count += 1;
            let at = self.now + Duration::from_micros(delay);
            self.wire.insert((at, self.count), (to, transmit.clone()));
        }
    }
}

pub(crate) fn ipui(text: &str) -> Ipui {
    Ipui::parse(text).expect("an IPUI")
}

pub(crate) fn anna() -> AccountSettings {
    account(ANNA, "anna", "Anna")
}

pub(crate) fn ben() -> AccountSettings {
    account(BEN, "ben", "Ben")
}

fn account(handset: &str, user: &str, name: &str) -> AccountSettings {
    let server = HostPort {
        host: "127.0.0.1".to_owned(),
        port: 5060,
    };
    AccountSettings {
        handset: ipui(handset),
        user_name: user.to_owned(),
        auth_name: user.to_owned(),
        auth_password: Secret::new("secret"),
        display_name: name.to_owned(),
        provider: Provider {
            domain: "as.example".to_owned(),
            proxy: server.clone(),
            registrar: server,
            refresh_timer: Duration::from_secs(180),
            transport: Transport::Udp,
            subscription_timer: Duration::from_secs(1800),
        },
        feature_key_sync: true,
    }
}
