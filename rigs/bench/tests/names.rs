//! Name resolution in a virtual laboratory: a node asks, and the table answers.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bench::lab::names::Names;
use bench::lab::virtual_lab::{VirtualLab, VirtualSetup};
use bench::lab::{BaseSpec, Indication, Lab, NodeId};
use bytes::Bytes;
use server::{AppServer, Dialect, ServerConfig};
use sip::node::{Input, Node, Output, Transport, digest_of};
use sip::resolution::{Question, RecordData, RecordKind, ResolutionFailure};
use sip::time::Instant;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

const UNIT: NodeId = NodeId(1);

/// A node that asks at its start, asks for the hosts that an SRV answer names, and says on its console what it learns.
#[derive(Clone, Debug)]
struct Curious {
    questions: Vec<Question>,
    out: VecDeque<Output>,
}

impl Curious {
    fn say(&mut self, line: &str) {
        self.out
            .push_back(Output::Console(Bytes::from(format!("{line}\n"))));
    }

    fn learn(&mut self, name: &str, data: &RecordData) {
        match data {
            RecordData::A(address) => self.say(&format!("{name} is {address}")),
            RecordData::Srv {
                priority,
                port,
                target,
                ..
            } => {
                self.say(&format!("{name} is {target} {port} by {priority}"));
                let host = Question::new(target, RecordKind::A);
                self.out.push_back(Output::Resolve(host));
            }
            RecordData::Aaaa(_) | RecordData::Naptr { .. } => panic!("nobody asked for {data:?}"),
        }
    }
}

impl Node for Curious {
    fn handle_input(&mut self, _: Instant, input: Input) {
        match input {
            Input::Timeout => {
                let questions = std::mem::take(&mut self.questions);
                self.out.extend(questions.into_iter().map(Output::Resolve));
            }
            Input::Resolved { question, answer } => match answer {
                Ok(records) => {
                    for record in records {
                        self.learn(&question.name, &record.data);
                    }
                }
                Err(ResolutionFailure::NoData) => {
                    self.say(&format!("{} has no {:?}", question.name, question.kind));
                }
                Err(ResolutionFailure::NoSuchName) => {
                    self.say(&format!("{} is no name", question.name));
                }
                Err(other) => panic!("{other:?}"),
            },
            _ => {}
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

fn srv(priority: u16, target: &str) -> RecordData {
    RecordData::Srv {
        priority,
        weight: 0,
        port: 5060 + priority,
        target: target.to_owned(),
    }
}

fn lab(questions: &[(&str, RecordKind)]) -> VirtualLab {
    let server: SocketAddr = "127.0.0.1:5060".parse().unwrap();
    let listen = vec![(Transport::Udp, server)];
    let config = ServerConfig::one_site(Dialect::broadsoft(), listen, "as.example", 1);
    let questions: Vec<Question> = questions
        .iter()
        .map(|(name, kind)| Question::new(name, *kind))
        .collect();
    let mut lab = VirtualLab::new(VirtualSetup {
        servers: vec![(AppServer::new(config), vec![server])],
        factory: Arc::new(move |_: &BaseSpec| {
            let node: Box<dyn Node> = Box::new(Curious {
                questions: questions.clone(),
                out: VecDeque::new(),
            });
            Ok(node)
        }),
        units: vec![BaseSpec {
            model: "curious".to_owned(),
            mac: "7c2f80e0d605".to_owned(),
            sip: "127.0.0.2:5060".parse().unwrap(),
            provisioning_url: "http://127.0.0.1:8080/p".to_owned(),
            seed: 1,
        }],
        names: Names::default()
            .with("_sip._udp.as.example", srv(1, "one.as.example"))
            .with("_sip._udp.as.example", srv(2, "two.as.example"))
            .with("one.as.example", RecordData::A(Ipv4Addr::new(192, 0, 2, 1)))
            .with("two.as.example", RecordData::A(Ipv4Addr::new(192, 0, 2, 2))),
        seed: 1,
    });
    lab.power_on(UNIT).unwrap();
    lab
}

/// What the node says, in its order.
fn told(lab: &mut VirtualLab) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(observed) = lab.advance(Instant::from_micros(1_000_000)) {
        assert_eq!(observed.unit, Some(UNIT));
        match observed.indication {
            Indication::Console(bytes) => told.push(String::from_utf8(bytes.to_vec()).unwrap()),
            other => panic!("{other:?}"),
        }
    }
    let lines = told.concat();
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn a_node_finds_the_hosts_of_a_service_and_their_addresses() {
    let mut lab = lab(&[("_sip._udp.as.example", RecordKind::Srv)]);
    assert_eq!(
        told(&mut lab),
        [
            "_sip._udp.as.example is one.as.example 5061 by 1",
            "_sip._udp.as.example is two.as.example 5062 by 2",
            "one.as.example is 192.0.2.1",
            "two.as.example is 192.0.2.2",
        ]
    );
}

#[test]
fn a_name_that_is_missing_is_told_from_a_record_that_is() {
    let mut lab = lab(&[
        ("three.as.example", RecordKind::A),
        ("one.as.example", RecordKind::Srv),
        ("_SIP._UDP.three.as.example.", RecordKind::Srv),
        ("two.as.example", RecordKind::Aaaa),
        ("Two.AS.example.", RecordKind::A),
    ]);
    assert_eq!(
        told(&mut lab),
        [
            "three.as.example is no name",
            "one.as.example has no Srv",
            "_sip._udp.three.as.example is no name",
            "two.as.example has no Aaaa",
            "two.as.example is 192.0.2.2",
        ]
    );
}

#[test]
fn a_clone_that_waits_for_an_answer_gets_it_too() {
    let mut lab = lab(&[("_sip._udp.as.example", RecordKind::Srv)]);
    assert!(
        lab.advance(Instant::EPOCH).is_none(),
        "the question is asked"
    );
    let mut clone = lab.clone();
    let own = told(&mut clone);
    assert_eq!(own.len(), 4);
    assert_eq!(own, told(&mut lab));
}
