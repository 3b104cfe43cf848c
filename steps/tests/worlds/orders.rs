//! Virtual laboratories with several nodes: a clone has the same state and the same future, and deliveries to different
//! nodes can be exchanged.
//!
//! The worlds are real: an application server and two emulated bases with two handsets each, right after the server has
//! changed something for everybody. The order of arrival is chosen; a message that was due earlier and is still held back
//! keeps the time where it is, so that the two that are exchanged arrive at one moment in either order.

use crate::world::{DOMAIN, factory};
use bench::lab::names::Names;
use bench::lab::virtual_lab::{Chooser, VirtualLab, VirtualSetup, Waiting};
use bench::lab::{BaseSpec, Indication, Lab, NodeId};
use bench::{Account, ProvisioningFile, Sync};
use evidence::record::{Direction, Fate};
use firmware_stubs::Model;
use server::{AppServer, Dialect, Portal as _, ServerConfig, UserConfig};
use sip::node::Transport;
use sip::service::{Service, Setting};
use sip::time::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SERVER: NodeId = NodeId(0);
const NODES: [NodeId; 3] = [SERVER, NodeId(1), NodeId(2)];
const SITE: &str = "127.0.0.1:5060";
const USERS: [[&str; 2]; 2] = [["2001", "2002"], ["2003", "2004"]];

/// Two bases with two handsets each, synchronised, and four NOTIFYs under way.
fn lab(seed: u64) -> VirtualLab {
    let site: SocketAddr = SITE.parse().unwrap();
    let listen = vec![(Transport::Udp, site)];
    let config = ServerConfig::one_site(Dialect::broadsoft(), listen, DOMAIN, seed);
    let mut server = AppServer::new(config);
    for user in USERS.concat() {
        server.add_user(Instant::EPOCH, UserConfig::new(user, "secret"));
    }
    let unit = |number: u8| BaseSpec {
        model: "n870".to_owned(),
        mac: format!("7c2f80e0d60{number}"),
        sip: SocketAddr::new([127, 100, 0, number].into(), 5060),
        provisioning_url: "http://127.0.0.1:8080/p".to_owned(),
        seed: seed + u64::from(number),
    };
    let mut lab = VirtualLab::new(VirtualSetup {
        servers: vec![(server, vec![site])],
        factory: factory(Model::built_in("n870").unwrap()),
        units: vec![unit(1), unit(2)],
        names: Names::default(),
        seed,
    });
    for unit in [NodeId(1), NodeId(2)] {
        lab.power_on(unit).unwrap();
    }
    // The subscriptions begin within some seconds.
    run(&mut lab, Instant::from_micros(10_000_000));
    lab.with_server(SERVER, &mut |server, now| {
        for user in USERS.concat() {
            let changed = server.change(now, user, Service::DoNotDisturb, &Setting::on());
            changed.unwrap();
        }
    });
    lab
}

fn file(unit: NodeId) -> ProvisioningFile {
    let mac = format!("7c2f80e0d60{}", unit.0);
    let mut file = ProvisioningFile::new(&mac, DOMAIN, SITE.parse().unwrap());
    file.gates.push(bench::provisioning::Gate {
        parameter: "FeatureKeySyncActive".to_owned(),
        on: "1".to_owned(),
    });
    let account = |user: &&str| Account {
        name: (*user).to_owned(),
        handset: format!("029e74{user}"),
        user: (*user).to_owned(),
        password: "secret".to_owned(),
        display_name: (*user).to_owned(),
        sync: Sync::On,
    };
    file.accounts = USERS[unit.0 - 1].iter().map(account).collect();
    file
}

/// One line of a story: when, at which unit, which way, what became of it, and its first bytes.
type Line = (u64, Option<NodeId>, Direction, Fate, String);

/// Lets the world run, serves provisioning files, and tells what went over the wire.
fn run(lab: &mut VirtualLab, until: Instant) -> Vec<Line> {
    let mut story = Vec::new();
    while let Some(observed) = lab.advance(until) {
        match observed.indication {
            Indication::Fetch { exchange, request } => {
                let (response, _) = file(observed.unit.unwrap()).serve(request.uri().path());
                lab.reply(exchange, response);
            }
            Indication::Sip(sip) => story.push((
                observed.at.as_micros(),
                observed.unit,
                sip.direction,
                sip.fate,
                String::from_utf8_lossy(&sip.bytes).into_owned(),
            )),
            Indication::Broken(error) => panic!("{error}"),
            _ => {}
        }
    }
    story
}

fn digests(lab: &VirtualLab) -> [u64; 3] {
    NODES.map(|node| lab.digest(node).unwrap())
}

/// When a chooser has chosen, and for which node.
type Choices = Arc<Mutex<Vec<(Instant, NodeId)>>>;

/// Holds the first message back and lets one for each of these nodes arrive before it, in this order. Which ones is
/// settled at the first choice, before the first arrival is answered.
#[derive(Clone)]
struct Before {
    nodes: [NodeId; 2],
    messages: Option<VecDeque<(NodeId, Vec<u8>)>>,
    choices: Choices,
}

impl Before {
    fn settled(&self, waiting: &[Waiting<'_>]) -> VecDeque<(NodeId, Vec<u8>)> {
        let first_for = |node: NodeId| {
            let mut later = waiting.iter().skip(1);
            let message = later.find(|message| message.to == Some(node))?;
            Some((node, message.bytes.to_vec()))
        };
        let both: Option<VecDeque<_>> = self.nodes.into_iter().map(first_for).collect();
        both.unwrap_or_default()
    }
}

impl Chooser for Before {
    fn choose(&mut self, now: Instant, waiting: &[Waiting<'_>]) -> usize {
        let mut messages = self
            .messages
            .take()
            .unwrap_or_else(|| self.settled(waiting));
        let next = messages.pop_front();
        self.messages = Some(messages);
        let Some((node, bytes)) = next else {
            return 0;
        };
        self.choices.lock().unwrap().push((now, node));
        let is_it = |message: &Waiting<'_>| message.to == Some(node) && message.bytes == bytes;
        waiting.iter().position(is_it).unwrap()
    }

    fn fork(&self) -> Box<dyn Chooser> {
        Box::new(self.clone())
    }
}

/// A clone of this world in which these two nodes get a message at one moment, in this order; nothing where no messages
/// wait for both behind another one.
fn exchanged(lab: &VirtualLab, nodes: [NodeId; 2]) -> Option<VirtualLab> {
    let mut fork = lab.clone();
    let choices = Choices::default();
    fork.set_chooser(Some(Box::new(Before {
        nodes,
        messages: None,
        choices: Arc::clone(&choices),
    })));
    // The world stops at its next delivery, and the other one follows at the same time.
    fork.advance(fork.now() + Duration::from_millis(200))?;
    let (at, _) = choices.lock().unwrap().first().copied()?;
    run(&mut fork, at);
    fork.set_chooser(None);
    let chosen = choices.lock().unwrap().clone();
    (chosen == nodes.map(|node| (at, node))).then_some(fork)
}

#[test]
fn a_clone_has_the_same_state_and_the_same_future() {
    for seed in 0..5 {
        let mut lab = lab(seed);
        let start = digests(&lab);
        let mut clone = lab.clone();
        assert_eq!(digests(&clone), start);
        // Past several refreshes of registrations.
        let end = lab.now() + Duration::from_secs(300);
        let future = run(&mut clone, end);
        assert!(future.len() > 4 * NODES.len(), "something happens");
        assert_ne!(digests(&clone), start);
        assert_eq!(digests(&lab), start, "the original stands still");
        assert_eq!(run(&mut lab, end), future);
        assert_eq!(digests(&lab), digests(&clone));
    }
}

#[test]
fn a_clone_whose_unit_loses_its_power_leaves_the_original_alone() {
    let mut lab = lab(1);
    let mut clone = lab.clone();
    clone.power_off(NodeId(1)).unwrap();
    assert_eq!(clone.digest(NodeId(1)), None);
    let end = lab.now() + Duration::from_secs(10);
    let own = run(&mut clone, end);
    let whole = run(&mut lab, end);
    let of = |story: &[Line], unit| -> Vec<Line> {
        let its = story.iter().filter(|line| line.1 == Some(unit));
        its.cloned().collect()
    };
    assert_ne!(of(&own, NodeId(1)), of(&whole, NodeId(1)));
    assert_eq!(
        of(&own, NodeId(2)),
        of(&whole, NodeId(2)),
        "nor the other unit"
    );
}

#[test]
fn deliveries_to_different_nodes_can_be_exchanged() {
    let mut exchanges = [[0; 3]; 3];
    for seed in 0..8 {
        let mut lab = lab(seed);
        let end = lab.now() + Duration::from_millis(200);
        loop {
            for (one, other) in [(0, 1), (0, 2), (1, 2)] {
                let (here, there) = (NODES[one], NODES[other]);
                let orders = [[here, there], [there, here]];
                let [Some(first), Some(second)] = orders.map(|order| exchanged(&lab, order)) else {
                    continue;
                };
                exchanges[one][other] += 1;
                same_for_all_time(first, second);
            }
            if lab.advance(end).is_none() {
                break;
            }
        }
    }
    // Every pair of nodes was there, and not by a single chance.
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        assert!(exchanges[one][other] >= 5, "{exchanges:?}");
    }
}

/// The nodes of both worlds are in one state now, and still are after their registrations were refreshed.
fn same_for_all_time(mut first: VirtualLab, mut second: VirtualLab) {
    assert_eq!(first.now(), second.now());
    assert_eq!(digests(&first), digests(&second));
    let end = first.now() + Duration::from_secs(120);
    run(&mut first, end);
    run(&mut second, end);
    assert_eq!(digests(&first), digests(&second));
}
