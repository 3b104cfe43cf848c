//! The virtual laboratory: the network between two nodes, the order of arrival, power, and worlds that fork.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bench::lab::names::Names;
use bench::lab::network::{Effect, Fault};
use bench::lab::virtual_lab::{Chooser, VirtualLab, VirtualSetup, Waiting};
use bench::lab::{BaseSpec, Indication, Lab, NodeId};
use bytes::Bytes;
use evidence::record::{Direction, Fate};
use server::{AppServer, Dialect, ServerConfig};
use sip::node::{Flow, Input, Node, Output, Transmit, TransmitReason, Transport, digest_of};
use sip::time::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const UNIT: NodeId = NodeId(1);

/// A base that says numbered things at its start and nothing later.
#[derive(Clone, Debug)]
struct Talker {
    transport: Transport,
    local: SocketAddr,
    remote: SocketAddr,
    said: usize,
    count: usize,
    out: VecDeque<Output>,
}

impl Node for Talker {
    fn handle_input(&mut self, _: Instant, input: Input) {
        if matches!(input, Input::Timeout) {
            for _ in self.said..self.count {
                self.said += 1;
                let text = format!(
                    "OPTIONS sip:{} SIP/2.0\r\nContent-Length: 0\r\n\r\n",
                    self.said
                );
                self.out.push_back(Output::Sip(Transmit {
                    flow: Flow {
                        transport: self.transport,
                        local: self.local,
                        remote: self.remote,
                    },
                    bytes: Bytes::from(text),
                    reason: TransmitReason::Raw,
                }));
            }
        }
    }

    fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or(Output::Timeout(None))
    }

    fn fork(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }

    fn reseed(&mut self, _seed: u64) {}

    fn digest(&self) -> u64 {
        digest_of(self)
    }
}

/// A base that wants to be woken at once, for ever.
#[derive(Clone, Debug)]
struct Restless;

impl Node for Restless {
    fn handle_input(&mut self, _: Instant, _: Input) {}

    fn poll_output(&mut self) -> Output {
        Output::Timeout(Some(Instant::EPOCH))
    }

    fn fork(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }

    fn reseed(&mut self, _seed: u64) {}

    fn digest(&self) -> u64 {
        digest_of(self)
    }
}

/// Lets the last of all waiting messages arrive first.
#[derive(Clone)]
struct Backwards;

impl Chooser for Backwards {
    fn choose(&mut self, _: Instant, waiting: &[Waiting<'_>]) -> usize {
        waiting.len() - 1
    }

    fn fork(&self) -> Box<dyn Chooser> {
        Box::new(self.clone())
    }
}

fn lab_with(
    seed: u64,
    base: impl Fn(&BaseSpec) -> Box<dyn Node> + Send + Sync + 'static,
) -> VirtualLab {
    let server: SocketAddr = "127.0.0.1:5060".parse().unwrap();
    let address: SocketAddr = "127.0.0.2:5060".parse().unwrap();
    let provisioning = "http://127.0.0.1:8080/p".to_owned();
    let listen = vec![(Transport::Udp, server), (Transport::Tcp, server)];
    let config = ServerConfig::one_site(Dialect::broadsoft(), listen, "as.example", seed);
    let machine = AppServer::new(config);
    VirtualLab::new(VirtualSetup {
        servers: vec![(machine, vec![server])],
        factory: Arc::new(move |spec: &BaseSpec| Ok(base(spec))),
        units: vec![BaseSpec {
            model: "talker".to_owned(),
            mac: "7c2f80e0d605".to_owned(),
            sip: address,
            provisioning_url: provisioning,
            seed,
        }],
        names: Names::default(),
        seed,
    })
}

fn lab(seed: u64, transport: Transport, count: usize) -> VirtualLab {
    let mut lab = lab_with(seed, move |spec| {
        Box::new(Talker {
            transport,
            local: spec.sip,
            remote: "127.0.0.1:5060".parse().unwrap(),
            said: 0,
            count,
            out: VecDeque::new(),
        })
    });
    lab.power_on(UNIT).unwrap();
    lab
}

/// What the base said: when, what became of it, and its number.
fn story(lab: &mut impl Lab) -> Vec<(u64, Fate, String)> {
    let end = lab.now() + Duration::from_secs(2);
    let mut story = Vec::new();
    while let Some(observed) = lab.advance(end) {
        if let Indication::Sip(sip) = observed.indication
            && sip.direction == Direction::FromBase
        {
            let text = String::from_utf8(sip.bytes.to_vec()).unwrap();
            let number = text.split([':', ' ']).nth(2).unwrap().to_owned();
            story.push((observed.at.as_micros(), sip.fate, number));
        }
    }
    story
}

fn arrivals(story: &[(u64, Fate, String)]) -> Vec<&str> {
    story
        .iter()
        .filter(|(_, fate, _)| *fate == Fate::Delivered)
        .map(|(_, _, number)| number.as_str())
        .collect()
}

#[test]
fn datagrams_take_5_to_40_ms_and_may_overtake() {
    let mut overtaken = false;
    for seed in 0..20 {
        let story = story(&mut lab(seed, Transport::Udp, 4));
        let late: Vec<u64> = story
            .iter()
            .filter(|(_, fate, _)| *fate == Fate::Delivered)
            .map(|(at, _, _)| *at)
            .collect();
        assert_eq!(late.len(), 4);
        assert!(
            late.iter().all(|at| (5_000..=40_000).contains(at)),
            "{late:?}"
        );
        overtaken |= arrivals(&story) != ["1", "2", "3", "4"];
    }
    assert!(overtaken);
}

#[test]
fn pieces_of_a_stream_never_overtake() {
    for seed in 0..20 {
        let story = story(&mut lab(seed, Transport::Tcp, 4));
        assert_eq!(arrivals(&story), ["1", "2", "3", "4"]);
    }
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_seed_another() {
    let world = |seed| story(&mut lab(seed, Transport::Udp, 6));
    assert_eq!(world(3), world(3));
    assert_ne!(world(3), world(4));
}

#[test]
fn a_lost_message_was_sent_and_dropped() {
    let mut lab = lab(1, Transport::Udp, 2);
    lab.disturb(Fault::new(Effect::Drop).from_base().next(1));
    let story = story(&mut lab);
    let first: Vec<Fate> = story
        .iter()
        .filter(|(_, _, number)| number == "1")
        .map(|(_, fate, _)| *fate)
        .collect();
    assert_eq!(first, [Fate::Sent, Fate::Dropped]);
    assert_eq!(arrivals(&story), ["2"]);
}

#[test]
fn a_duplicated_message_is_sent_once_and_arrives_twice() {
    let mut lab = lab(1, Transport::Udp, 1);
    lab.disturb(Fault::new(Effect::Duplicate(Duration::from_millis(100))));
    let story = story(&mut lab);
    assert_eq!(arrivals(&story), ["1", "1"]);
    assert_eq!(story.len(), 3);
}

#[test]
fn a_delayed_message_comes_later() {
    let mut lab = lab(1, Transport::Udp, 2);
    lab.disturb(Fault::new(Effect::Delay(Duration::from_millis(500))).next(1));
    assert_eq!(arrivals(&story(&mut lab)), ["2", "1"]);
}

#[test]
fn a_message_held_back_is_overtaken_by_the_next() {
    for seed in 0..10 {
        let mut lab = lab(seed, Transport::Udp, 2);
        lab.disturb(Fault::new(Effect::Reorder).next(1));
        assert_eq!(arrivals(&story(&mut lab)), ["2", "1"]);
    }
}

#[test]
fn what_is_held_back_goes_on_when_the_network_calms() {
    let mut lab = lab(1, Transport::Udp, 1);
    lab.disturb(Fault::new(Effect::Reorder));
    assert!(arrivals(&story(&mut lab)).is_empty());
    lab.calm();
    assert_eq!(arrivals(&story(&mut lab)), ["1"]);
}

#[test]
fn a_chooser_decides_which_message_arrives_next() {
    let mut lab = lab(1, Transport::Udp, 3);
    lab.set_chooser(Some(Box::new(Backwards)));
    let story = story(&mut lab);
    let order = arrivals(&story);
    let times: Vec<u64> = story.iter().map(|(at, _, _)| *at).collect();
    assert_eq!(order.len(), 3);
    assert!(times.is_sorted());
    let mut natural = lab_order(1);
    natural.reverse();
    assert_eq!(order, natural);
}

fn lab_order(seed: u64) -> Vec<String> {
    let story = story(&mut lab(seed, Transport::Udp, 3));
    arrivals(&story).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_fork_repeats_the_same_future_and_leaves_the_original_alone() {
    let mut lab = lab(5, Transport::Udp, 4);
    assert!(lab.advance(Instant::EPOCH).is_some());
    let mut fork = lab.clone();
    let future = story(&mut fork);
    assert_eq!(future, story(&mut lab));
    assert!(!future.is_empty());
}

#[test]
fn a_stream_reset_drops_what_is_under_way() {
    let mut lab = lab(1, Transport::Tcp, 2);
    while lab.advance(Instant::EPOCH).is_some() {}
    lab.reset_streams();
    let story = story(&mut lab);
    assert!(story.iter().all(|(_, fate, _)| *fate == Fate::Dropped));
    assert_eq!(story.len(), 2);
}

#[test]
fn a_base_that_never_rests_is_a_rig_error() {
    let mut lab = lab_with(1, |_| Box::new(Restless));
    lab.power_on(UNIT).unwrap();
    let mut broken = None;
    while let Some(observed) = lab.advance(Instant::from_micros(1_000_000)) {
        if let Indication::Broken(error) = observed.indication {
            broken = Some(error.to_string());
        }
    }
    assert_eq!(
        broken.unwrap(),
        "the emulated base 7c2f80e0d605: time does not move on any more"
    );
    assert_eq!(lab.now(), Instant::from_micros(1_000_000));
}

#[test]
fn a_message_to_nobody_is_dropped() {
    let mut lab = lab_with(1, |spec| {
        Box::new(Talker {
            transport: Transport::Udp,
            local: spec.sip,
            remote: "127.9.9.9:5060".parse().unwrap(),
            said: 0,
            count: 1,
            out: VecDeque::new(),
        })
    });
    lab.power_on(UNIT).unwrap();
    let fates: Vec<Fate> = story(&mut lab).iter().map(|(_, fate, _)| *fate).collect();
    assert_eq!(fates, [Fate::Sent, Fate::Dropped]);
}

#[test]
fn without_power_nothing_is_said() {
    let mut lab = lab(1, Transport::Udp, 3);
    lab.power_off(UNIT).unwrap();
    assert!(story(&mut lab).is_empty());
}
