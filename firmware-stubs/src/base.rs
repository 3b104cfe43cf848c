//! One emulated base: a node that boots, fetches its provisioning, and wires handsets, SIP, console and web together.
//!
//! | stage | input | next | what happens |
//! |---|---|---|---|
//! | off | time-out | booting | the boot log begins |
//! | booting | the log has ended | running | console and web open, provisioning is fetched |
//! | running | check-sync, console, a day | running | provisioning is fetched and applied without a restart |
//! | running | `reboot` | booting | SIP forgets everything silently, the handset table stays |
//! | running | shutdown | ending | SIP unsubscribes and de-registers |
//! | ending | SIP has ended | ended | |
//! | off, booting | shutdown | ended | |

mod answers;
mod provisioned;

use crate::accounts::{AccountSettings, HandsetTable, Ipui};
use crate::defect::Defects;
use crate::faces::console::{Console, ConsoleOutput, ConsoleTexts};
use crate::faces::web::Web;
use crate::fetch::{Due, Fetch};
use crate::menu::{Handset, Key, Request, Screen};
use crate::model::Model;
use crate::mutant::Mutant;
use crate::user_agent::{UaConfig, UaIndication, UaOutput, UserAgent};
use answers::{display, registration};
use serde_json::{Value, json};
use sip::node::{Input, Node, Output, digest_of};
use sip::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

/// The administrator's name.
const ADMINISTRATOR: &str = "admin";

/// What a base is built from.
#[derive(Clone, Debug)]
pub struct BaseConfig {
    /// How the product behaves.
    pub model: Model,
    /// What is wrong with it.
    pub mutant: Option<Mutant>,
    /// Its hardware address, in any spelling.
    pub mac: String,
    /// Where it speaks SIP.
    pub sip: SocketAddr,
    /// The folder of its provisioning file, or the file itself when this ends in `.xml`.
    pub provisioning_url: String,
    /// The source of everything that hardware would draw by lot.
    pub seed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Booting { line: usize },
    Ended,
    Ending,
    Off,
    Running,
}

/// An emulated base.
#[derive(Clone, Debug)]
pub struct Base {
    model: Arc<Model>,
    defects: Defects,
    mac: String,
    sip: SocketAddr,
    provisioning_url: String,
    seed: u64,
    boots: u64,
    stage: Stage,
    now: Instant,
    power_on: Instant,
    table: HandsetTable,
    handsets: BTreeMap<Ipui, Handset>,
    registered: BTreeSet<Ipui>,
    changed: BTreeSet<Ipui>,
    shown: BTreeMap<Ipui, Screen>,
    fetch: Fetch,
    user_agent: UserAgent,
    user_agent_deadline: Option<Instant>,
    console: Console,
    web: Web,
    has_listener: bool,
    outputs: VecDeque<Output>,
}

impl Base {
    /// A base that is switched off. The first time-out switches it on.
    #[must_use]
    pub fn new(config: BaseConfig) -> Self {
        let mutant = config.mutant;
        let defects = mutant.as_ref().map(Mutant::defects).unwrap_or_default();
        let model = match &mutant {
            Some(mutant) => mutant.apply(config.model),
            None => config.model,
        };
        let model = Arc::new(model);
        let table = HandsetTable::new(config.seed);
        let texts = ConsoleTexts {
            name: model.name.clone(),
            user: ADMINISTRATOR.to_owned(),
            line: model.limits.console_line,
            logins: model.limits.console_logins,
        };
        let mac = config.mac.chars().filter(char::is_ascii_alphanumeric);
        Self {
            user_agent: user_agent(&model, &defects, config.sip, config.seed),
            fetch: Fetch::new(model.timers.clone()),
            console: Console::new(texts, table.admin_password()),
            web: Web::new(
                ADMINISTRATOR,
                table.admin_password(),
                model.timers.web_session,
                config.seed,
            ),
            model,
            defects,
            mac: mac.collect::<String>().to_ascii_lowercase(),
            sip: config.sip,
            provisioning_url: config.provisioning_url,
            seed: config.seed,
            boots: 0,
            stage: Stage::Off,
            now: Instant::EPOCH,
            power_on: Instant::EPOCH,
            table,
            handsets: BTreeMap::new(),
            registered: BTreeSet::new(),
            changed: BTreeSet::new(),
            shown: BTreeMap::new(),
            user_agent_deadline: None,
            has_listener: false,
            outputs: VecDeque::new(),
        }
    }

    /// The accounts that it works on SIP.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountSettings> {
        self.table.settings(&self.model)
    }

    /// Whether it runs, has an outcome of its provisioning, and has no handset left to pair.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.stage == Stage::Running && self.fetch.has_outcome() && self.table.deadline().is_none()
    }

    fn boot(&mut self) {
        self.boots += 1;
        self.power_on = self.now;
        self.stage = Stage::Booting { line: 0 };
        self.fetch.stop();
        self.table.reboot();
        self.web.restart();
        let seed = self.seed.wrapping_add(self.boots << 32);
        self.user_agent = user_agent(&self.model, &self.defects, self.sip, seed);
        self.user_agent_deadline = None;
        self.registered.clear();
        for (ipui, row) in self.table.paired() {
            if let Some(handset) = self.handsets.get_mut(ipui) {
                let (model, defects) = (Arc::clone(&self.model), self.defects.clone());
                *handset = Handset::new(model, defects, row.display_name(), handset.ringer_dnd());
                handset.configure(row.display_name(), row.feature_key_sync());
                self.changed.insert(ipui.clone());
            }
        }
    }

    fn advance_boot(&mut self) {
        let model = Arc::clone(&self.model);
        while let Stage::Booting { line } = self.stage {
            let Some(next) = model.boot.get(line) else {
                self.stage = Stage::Running;
                self.console.handle_booted();
                let exchange = self.fetch.start(self.now);
                self.ask_for_provisioning(exchange);
                return;
            };
            if self.power_on + next.at > self.now {
                return;
            }
            self.log(&model.inscribe(&next.text, &self.mac));
            self.stage = Stage::Booting { line: line + 1 };
        }
    }

    fn boot_deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Booting { line } => {
                let next = self.model.boot.get(line);
                Some(next.map_or(self.now, |next| self.power_on + next.at))
            }
            _ => None,
        }
    }

    fn log(&mut self, text: &str) {
        let since_boot = self.now.since(self.power_on);
        self.console.log(Instant::EPOCH + since_boot, text);
    }

    fn publish(&mut self, event: &Value) {
        if self.has_listener {
            self.outputs.push_back(Output::Event(event.to_string()));
        }
    }
}

/// Handsets and SIP.
impl Base {
    fn press(&mut self, ipui: &Ipui, keys: &[Key]) {
        for key in keys {
            let Some(handset) = self.handsets.get_mut(ipui) else {
                return;
            };
            let request = handset.press(*key);
            self.changed.insert(ipui.clone());
            match request {
                None => {}
                Some(Request::Change { service, setting }) => {
                    self.user_agent
                        .change_service(self.now, ipui, service, setting);
                }
                Some(Request::Dial(digits)) => self.user_agent.dial(self.now, ipui, &digits),
                Some(Request::HangUp) => self.user_agent.hang_up(self.now, ipui),
            }
            self.show_changes();
        }
    }

    fn handle_indication(&mut self, indication: UaIndication) {
        match indication {
            UaIndication::CallEnded { handset, cause } => {
                self.log(&format!("call {handset} ended: {cause}"));
                self.touch(&handset, Handset::handle_call_ended);
            }
            UaIndication::ChangeRefused { handset, service } => {
                self.touch(&handset, |handset| handset.handle_refusal(service));
            }
            UaIndication::CheckSync { .. } => {
                // Also when a reboot is asked for: these bases need none (gigaset.md [CHKSYNC]).
                self.log("sip check-sync");
                let exchange = self.fetch.start(self.now);
                self.ask_for_provisioning(exchange);
            }
            UaIndication::Log(text) => self.log(&text),
            UaIndication::Registered { handset } => self.note_registration(handset, true),
            UaIndication::State {
                handset,
                service,
                setting,
            } => self.touch(&handset, |handset| handset.handle_state(service, &setting)),
            UaIndication::Synchronised { handset, on } => {
                let word = if on {
                    "synchronised"
                } else {
                    "not synchronised"
                };
                self.log(&format!("sip {handset} {word}"));
            }
            UaIndication::Unregistered { handset } => self.note_registration(handset, false),
        }
    }

    fn touch(&mut self, ipui: &Ipui, change: impl FnOnce(&mut Handset)) {
        if let Some(handset) = self.handsets.get_mut(ipui) {
            change(handset);
            self.changed.insert(ipui.clone());
        }
    }

    fn note_registration(&mut self, handset: Ipui, on: bool) {
        let news = if on {
            self.registered.insert(handset.clone())
        } else {
            self.registered.remove(&handset)
        };
        if news {
            let word = registration(on);
            self.log(&format!("sip {handset} {}", word.to_ascii_lowercase()));
            self.publish(&json!({
                "type": "registration", "handset": handset.as_str(), "sip": word,
            }));
        }
    }

    /// Every display that has changed is one log line and one event. Handsets hear nothing from a base that boots.
    fn show_changes(&mut self) {
        if !self.speaks_sip() {
            return;
        }
        for ipui in std::mem::take(&mut self.changed) {
            let Some(screen) = self.handsets.get(&ipui).map(Handset::screen) else {
                continue;
            };
            if self.shown.get(&ipui) == Some(&screen) {
                continue;
            }
            let view = screen.view.as_str();
            self.log(&format!("display {ipui} {view} {}", screen.to_json()));
            let mut event = display(&ipui, &screen);
            if let Some(event) = event.as_object_mut() {
                event.insert("type".to_owned(), json!("display"));
            }
            self.publish(&event);
            self.shown.insert(ipui, screen);
        }
    }

    /// The handset with this name, when it is paired.
    fn handset(&self, name: &str) -> Option<Ipui> {
        let ipui = Ipui::parse(name)?;
        self.handsets.contains_key(&ipui).then_some(ipui)
    }
}

/// The node.
impl Base {
    fn handle_time(&mut self) {
        match self.stage {
            Stage::Off => {
                self.boot();
                self.advance_boot();
            }
            Stage::Booting { .. } => self.advance_boot(),
            Stage::Running => {
                match self.fetch.handle_timeout(self.now) {
                    None => {}
                    Some(Due::Ask(exchange)) => self.ask_for_provisioning(Some(exchange)),
                    Some(Due::Unanswered) => self.report_failed_provisioning("not answered"),
                }
                if self.table.handle_timeout(self.now, &self.model) {
                    self.apply_table();
                }
                self.user_agent.handle_timeout(self.now);
            }
            Stage::Ending => self.user_agent.handle_timeout(self.now),
            Stage::Ended => {}
        }
    }

    fn shut_down(&mut self) {
        match self.stage {
            Stage::Ended | Stage::Ending => {}
            Stage::Booting { .. } | Stage::Off => self.end(),
            Stage::Running => {
                self.log("shutdown");
                self.stage = Stage::Ending;
                self.fetch.stop();
                self.user_agent.shutdown(self.now);
            }
        }
    }

    fn end(&mut self) {
        self.stage = Stage::Ended;
        self.outputs.push_back(Output::Ended);
    }

    const fn speaks_sip(&self) -> bool {
        matches!(self.stage, Stage::Ending | Stage::Running)
    }

    /// Lets the parts talk to each other until all of them wait.
    fn settle(&mut self) {
        loop {
            if self.speaks_sip() {
                match self.user_agent.poll_output() {
                    UaOutput::CloseFlow(flow) => {
                        self.outputs.push_back(Output::CloseFlow(flow));
                        continue;
                    }
                    UaOutput::Transmit(transmit) => {
                        self.outputs.push_back(Output::Sip(transmit));
                        continue;
                    }
                    UaOutput::Indication(indication) => {
                        self.handle_indication(indication);
                        continue;
                    }
                    UaOutput::Ended => {
                        self.end();
                        continue;
                    }
                    UaOutput::Timeout(deadline) => self.user_agent_deadline = deadline,
                }
            }
            self.show_changes();
            match self.console.poll_output() {
                Some(ConsoleOutput::Write(bytes)) => {
                    self.outputs.push_back(Output::Console(bytes.into()));
                }
                Some(ConsoleOutput::Command(command)) => self.handle_command(command),
                None => return,
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let deadlines = match self.stage {
            Stage::Ended | Stage::Off => [None; 3],
            Stage::Booting { .. } => [self.boot_deadline(), None, None],
            Stage::Ending => [self.user_agent_deadline, None, None],
            Stage::Running => [
                self.fetch.deadline(),
                self.table.deadline(),
                self.user_agent_deadline,
            ],
        };
        deadlines.into_iter().flatten().min()
    }
}

impl Node for Base {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        match input {
            Input::Sip { flow, bytes } if self.speaks_sip() => {
                self.user_agent.handle_sip(now, flow, bytes);
            }
            Input::FlowClosed { flow } if self.speaks_sip() => {
                self.user_agent.handle_flow_closed(now, flow);
            }
            Input::Sip { .. } | Input::FlowClosed { .. } | Input::Resolved { .. } => {}
            Input::Console(bytes) => self.console.handle_bytes(&bytes),
            Input::Http { exchange, request } => {
                let response = self.handle_request(&request);
                self.outputs
                    .push_back(Output::HttpReply { exchange, response });
            }
            Input::HttpReply { exchange, reply } => self.handle_provisioning(exchange, reply),
            Input::Shutdown => self.shut_down(),
            Input::Timeout => self.handle_time(),
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Output {
        let next = self.outputs.pop_front();
        next.unwrap_or_else(|| Output::Timeout(self.deadline()))
    }

    fn fork(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }

    fn reseed(&mut self, seed: u64) {
        self.seed = seed;
        self.table.reseed(seed);
        self.web.reseed(seed);
        self.user_agent.reseed(seed);
    }

    fn digest(&self) -> u64 {
        digest_of(self)
    }
}

fn user_agent(model: &Arc<Model>, defects: &Defects, sip: SocketAddr, seed: u64) -> UserAgent {
    UserAgent::new(UaConfig {
        sip,
        model: Arc::clone(model),
        defects: defects.clone(),
        seed,
    })
}
