//! A whole base and an application server on a line with latency and loss: what a user sees at one end of what happens at
//! the other. Half an hour takes no time.

mod support;

use bytes::Bytes;
use server::{AppServer, Dialect, Faults as _, Origin, ServerConfig, SiteId, UserConfig};
use sip::feature_event::{Service, Setting};
use sip::message::Message;
use sip::node::{Flow, Input, Node, Output, Transport};
use sip::time::Instant;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use support::{ANNA, BEN, Table, account, add_handset, document, two_handsets};

const SECOND: Duration = Duration::from_secs(1);

struct Pair {
    table: Table,
    server: AppServer,
    server_deadline: Option<Instant>,
    line: BTreeMap<(Instant, u64), (SocketAddr, Flow, Bytes)>,
    sent: u64,
    latency: Duration,
    /// Percent of the datagrams that are lost.
    loss: u8,
    rng: fastrand::Rng,
    /// What the base has sent, lost or not.
    from_base: Vec<(Instant, Message)>,
}

impl Pair {
    fn new(file: &str) -> Self {
        let text = include_str!("../../rigs/dialects/broadsoft.toml");
        let dialect = Dialect::from_toml(text, "broadsoft.toml").expect("the dialect reads");
        let address: SocketAddr = "127.0.0.1:5060".parse().expect("an address");
        let listen = vec![(Transport::Udp, address), (Transport::Tcp, address)];
        let config = ServerConfig::one_site(dialect, listen, "as.example.com", 2);
        let mut server = AppServer::new(config);
        for user in ["1013", "1014"] {
            server.add_user(Instant::EPOCH, UserConfig::new(user, "secret"));
        }
        Self {
            table: Table::new(file),
            server,
            server_deadline: None,
            line: BTreeMap::new(),
            sent: 0,
            latency: Duration::from_millis(20),
            loss: 0,
            rng: fastrand::Rng::with_seed(3),
            from_base: Vec::new(),
        }
    }

    /// Both handsets registered, and synchronised where the switch is on.
    fn up(file: &str) -> Self {
        let mut pair = Self::new(file);
        pair.drive(5 * SECOND);
        pair.table.log_in();
        pair
    }

    fn put(&mut self, flow: Flow, bytes: Bytes) {
        if flow.transport == Transport::Udp && self.rng.u8(..100) < self.loss {
            return;
        }
        self.sent += 1;
        let there = Flow {
            transport: flow.transport,
            local: flow.remote,
            remote: flow.local,
        };
        let at = self.table.now + self.latency;
        let delivery = (flow.remote, there, bytes);
        self.line.insert((at, self.sent), delivery);
    }

    fn collect(&mut self) {
        for transmit in std::mem::take(&mut self.table.sip) {
            if let Ok(message) = Message::parse(transmit.bytes.clone()) {
                self.from_base.push((self.table.now, message));
            }
            self.put(transmit.flow, transmit.bytes);
        }
        loop {
            match self.server.poll_output() {
                Output::Sip(transmit) => self.put(transmit.flow, transmit.bytes),
                Output::Timeout(deadline) => {
                    self.server_deadline = deadline;
                    return;
                }
                _ => {}
            }
        }
    }

    fn drive(&mut self, length: Duration) {
        let end = self.table.now + length;
        self.table.input(Input::Timeout);
        self.collect();
        loop {
            let delivery = self.line.keys().next().map(|(at, _)| *at);
            let next = [delivery, self.server_deadline, self.table.deadline];
            let next = next.into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.table.now = next;
            if delivery == Some(next) {
                if let Some((_, (to, flow, bytes))) = self.line.pop_first() {
                    if to == self.server.listen(SiteId::FIRST)[0].1 {
                        self.server.handle_input(next, Input::Sip { flow, bytes });
                    } else {
                        self.table.input(Input::Sip { flow, bytes });
                    }
                }
            } else if self.server_deadline == Some(next) {
                self.server.handle_input(next, Input::Timeout);
            } else {
                self.table.input(Input::Timeout);
            }
            self.collect();
        }
        self.table.now = end;
    }

    fn keys(&mut self, handset: &str, keys: &str) {
        let text = self
            .table
            .type_in(&format!("handset {handset} key {keys}\r"));
        assert!(text.contains("\r\nok\r\n"), "{text}");
        self.collect();
    }

    /// The lines of a display, the title first.
    fn shown(&mut self, handset: &str) -> Vec<String> {
        let text = self.table.type_in(&format!("handset {handset} display\r"));
        let line = |line: &str| {
            let heads = ["line > ", "line   ", "title "].into_iter();
            let mut texts = heads.filter_map(|head| line.strip_prefix(head));
            texts.next().map(str::to_owned)
        };
        text.lines().filter_map(line).collect()
    }

    fn portal(&mut self, user: &str, service: Service, setting: Setting) {
        let now = self.table.now;
        self.server
            .set_service(now, user, service, setting, Origin::Portal);
        self.collect();
    }

    fn provision(&mut self, file: String, user: &str) {
        self.table.file = Some((200, file));
        let now = self.table.now;
        self.server.check_sync(now, SiteId::FIRST, user);
        self.collect();
        self.drive(5 * SECOND);
    }

    fn setting(&self, user: &str, service: Service) -> Setting {
        let state = self.server.service(user, service);
        state.expect("an account").setting.clone()
    }

    fn subscribes(&self) -> usize {
        let method = |(_, message): &(Instant, Message)| {
            message.method().map(|method| method.as_str().to_owned())
        };
        let sent = self.from_base.iter().filter_map(method);
        sent.filter(|method| method == "SUBSCRIBE").count()
    }
}

fn on(number: &str, rings: Option<u32>) -> Setting {
    Setting {
        active: true,
        number: (!number.is_empty()).then(|| number.to_owned()),
        rings,
        agent: None,
    }
}

#[test]
fn the_portal_is_seen_on_the_idle_screen_of_one_handset_only() {
    let mut pair = Pair::up(&two_handsets("1"));
    pair.portal("1013", Service::DoNotDisturb, on("", None));
    pair.portal("1013", Service::CallForwardingBusy, on("2425", None));
    pair.drive(SECOND);
    let shown = ["", "Anna", "Do Not Disturb", "Divert busy: 2425"];
    assert_eq!(pair.shown(ANNA), shown);
    assert_eq!(pair.shown(BEN), ["", "Ben"]);
    pair.portal("1013", Service::DoNotDisturb, Setting::default());
    pair.drive(SECOND);
    assert_eq!(pair.shown(ANNA), ["", "Anna", "Divert busy: 2425"]);
}

#[test]
fn a_change_in_the_menu_reaches_the_server_and_comes_back() {
    let mut pair = Pair::up(&two_handsets("1"));
    pair.keys(ANNA, "menu ok ok right soft-right");
    let waiting = ["Do Not Disturb", "Status: Off", "Please wait..."];
    assert_eq!(pair.shown(ANNA), waiting);
    pair.drive(SECOND);
    assert_eq!(pair.shown(ANNA), ["Do Not Disturb", "Status: On"]);
    assert!(pair.setting("1013", Service::DoNotDisturb).active);
    assert!(!pair.setting("1014", Service::DoNotDisturb).active);

    pair.keys(ANNA, "end menu ok down ok up ok right");
    pair.keys(ANNA, "down 2 4 2 6 down clear 2 soft-right");
    pair.drive(SECOND);
    let forwarding = pair.setting("1013", Service::CallForwardingNoAnswer);
    assert_eq!(forwarding, on("2426", Some(2)));
    let editor = ["No Reply", "Status: On", "Phone Number: 2426", "Rings: 2"];
    assert_eq!(pair.shown(ANNA), editor);
    pair.keys(ANNA, "end");
    let idle = ["", "Anna", "Do Not Disturb", "Divert no reply: 2426"];
    assert_eq!(pair.shown(ANNA), idle);
}

#[test]
fn a_change_that_nobody_told_comes_with_the_refresh() {
    let mut pair = Pair::up(&two_handsets("1"));
    let now = pair.table.now;
    let service = Service::DoNotDisturb;
    pair.server
        .set_service_silently(now, "1013", service, on("", None));
    pair.drive(60 * SECOND);
    assert_eq!(pair.shown(ANNA), ["", "Anna"]);
    pair.drive(1800 * SECOND);
    assert_eq!(pair.shown(ANNA), ["", "Anna", "Do Not Disturb"]);
    assert_eq!(pair.server.subscriptions("1013").len(), 1);
}

#[test]
fn the_switch_takes_effect_without_a_restart() {
    let mut pair = Pair::up(&two_handsets("0"));
    assert_eq!(pair.subscribes(), 0);
    pair.portal("1013", Service::DoNotDisturb, on("", None));
    pair.drive(SECOND);
    assert_eq!(pair.shown(ANNA), ["", "Anna"]);

    pair.provision(two_handsets("1"), "1013");
    assert_eq!(pair.server.subscriptions("1013").len(), 1);
    assert_eq!(pair.shown(ANNA), ["", "Anna", "Do Not Disturb"]);

    pair.provision(two_handsets("0"), "1014");
    assert_eq!(pair.server.subscriptions("1013").len(), 0);
    assert_eq!(pair.shown(ANNA), ["", "Anna"]);
    assert_eq!(pair.server.bindings("1013").len(), 1);
    let before = pair.subscribes();
    pair.keys(ANNA, "menu ok ok right soft-right end");
    pair.drive(60 * SECOND);
    assert_eq!(pair.subscribes(), before);
    assert_eq!(pair.shown(ANNA), ["", "Anna", "Do Not Disturb"]);
}

#[test]
fn an_account_that_is_not_provisioned_any_more_leaves_the_server() {
    let mut pair = Pair::up(&two_handsets("1"));
    let ben = add_handset(BEN) + &account(BEN, "1014", "Ben", "1");
    pair.provision(document(&ben), "1014");
    assert_eq!(pair.server.bindings("1013").len(), 0);
    assert_eq!(pair.server.subscriptions("1013").len(), 0);
    assert_eq!(pair.server.subscriptions("1014").len(), 1);
    pair.provision(two_handsets("1"), "1014");
    assert_eq!(pair.server.bindings("1013").len(), 1);
    assert_eq!(pair.server.subscriptions("1013").len(), 1);
}

#[test]
fn a_service_that_the_account_lacks_is_refused_at_the_handset() {
    let mut pair = Pair::new(&two_handsets("1"));
    let service = Service::CallForwardingBusy;
    let user = UserConfig::new("1013", "secret").without_service(service);
    pair.server.add_user(Instant::EPOCH, user);
    pair.drive(5 * SECOND);
    pair.table.log_in();
    pair.keys(ANNA, "menu ok down ok down ok");
    let unknown = ["When Busy", "Status: -", "Phone Number: "];
    assert_eq!(pair.shown(ANNA), unknown);
    pair.keys(ANNA, "right down 1 soft-right");
    pair.drive(60 * SECOND);
    let shown = pair.shown(ANNA);
    let note = shown.last().map(String::as_str);
    assert_eq!(note, Some("Service not available"), "{shown:?}");
}

#[test]
fn a_feature_code_is_dialled_and_comes_back_as_a_state() {
    let mut pair = Pair::up(&two_handsets("1"));
    let dialect = pair.server.dialect();
    let code = dialect.dialled(Service::DoNotDisturb, true, None);
    let keys: Vec<String> = code.expect("a code").chars().map(String::from).collect();
    pair.keys(ANNA, &format!("{} talk", keys.join(" ")));
    pair.drive(10 * SECOND);
    assert!(pair.setting("1013", Service::DoNotDisturb).active);
    assert_eq!(pair.shown(ANNA), ["Calling", "*78"]);
    pair.keys(ANNA, "end");
    pair.drive(SECOND);
    assert_eq!(pair.shown(ANNA), ["", "Anna", "Do Not Disturb"]);
}

#[test]
fn a_shutdown_leaves_nothing_behind() {
    let mut pair = Pair::up(&two_handsets("1"));
    pair.table.input(Input::Shutdown);
    pair.collect();
    pair.drive(10 * SECOND);
    assert!(pair.table.ended);
    for user in ["1013", "1014"] {
        assert_eq!(pair.server.bindings(user).len(), 0, "{user}");
        assert_eq!(pair.server.subscriptions(user).len(), 0, "{user}");
    }
}

#[test]
fn a_reboot_pushes_nothing_and_shows_what_the_server_says() {
    let mut pair = Pair::up(&two_handsets("1"));
    pair.portal("1013", Service::DoNotDisturb, on("", None));
    pair.drive(SECOND);
    pair.table.type_in("reboot\r");
    pair.portal("1013", Service::DoNotDisturb, Setting::default());
    pair.portal("1013", Service::CallForwardingAlways, on("3001", None));
    pair.drive(10 * SECOND);
    pair.table.log_in();
    assert_eq!(pair.shown(ANNA), ["", "Anna", "Divert all: 3001"]);
    assert!(!pair.setting("1013", Service::DoNotDisturb).active);
}

#[test]
fn a_handset_that_takes_an_open_place_is_synchronised() {
    let file = add_handset("0_1") + &account("0_1", "1013", "Anna", "1");
    let mut pair = Pair::up(&document(&file));
    assert_eq!(pair.server.subscriptions("1013").len(), 1);
    pair.portal("1013", Service::DoNotDisturb, on("", None));
    pair.drive(SECOND);
    let ipui = pair.table.base.accounts()[0].handset.to_string();
    assert_eq!(pair.shown(&ipui), ["", "Anna", "Do Not Disturb"]);
}

#[test]
fn a_lossy_line_ends_in_the_same_state() {
    for seed in 0..20 {
        let mut pair = Pair::new(&two_handsets("1"));
        pair.loss = 30;
        pair.rng = fastrand::Rng::with_seed(seed);
        pair.drive(900 * SECOND);
        pair.table.log_in();
        pair.portal("1013", Service::DoNotDisturb, on("", None));
        pair.drive(40 * SECOND);
        let shown = pair.shown(ANNA);
        assert_eq!(shown, ["", "Anna", "Do Not Disturb"], "seed {seed}");
    }
}

#[test]
fn the_same_seed_says_the_same_bytes() {
    let run = || {
        let mut pair = Pair::up(&two_handsets("1"));
        pair.keys(ANNA, "menu ok ok right soft-right");
        pair.drive(4000 * SECOND);
        let bytes = |(at, message): &(Instant, Message)| (*at, message.wire().clone());
        pair.from_base.iter().map(bytes).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_fork_goes_its_own_way() {
    let mut pair = Pair::up(&two_handsets("1"));
    let mut other = pair.table.base.fork();
    pair.keys(ANNA, "menu");
    let console = Bytes::from(format!("handset {ANNA} display\r"));
    other.handle_input(pair.table.now, Input::Console(console));
    let mut text = String::new();
    loop {
        match other.poll_output() {
            Output::Console(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
            Output::Timeout(_) => break,
            _ => {}
        }
    }
    assert!(text.contains("idle"), "{text}");
}
