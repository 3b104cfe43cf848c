//! One test for each timer by letter, over UDP and over TCP, through the endpoint.

use crate::messages::{at, flow, request, response, seconds};
use sip::endpoint::{Endpoint, Failure, Indication, Output};
use sip::message::{Message, Method};
use sip::node::TransmitReason::{self, Retransmission};
use sip::node::Transport::{self, Tcp, Udp};
use sip::time::Instant;
use sip::timer::{Growth, Timers};

/// What an endpoint did, with the time in milliseconds.
#[derive(Debug, Default)]
struct Course {
    sent: Vec<(u64, TransmitReason)>,
    failed: Vec<(u64, Failure)>,
    idle_at: Option<u64>,
}

impl Course {
    fn times(&self, reason: TransmitReason) -> Vec<u64> {
        let wanted = self.sent.iter().filter(|(_, why)| *why == reason);
        wanted.map(|(at, _)| *at).collect()
    }
}

fn millis(now: Instant) -> u64 {
    now.as_micros() / 1000
}

/// Lets time run from one deadline to the next until none is left.
fn run(endpoint: &mut Endpoint, from: Instant) -> Course {
    let mut course = Course::default();
    let mut now = from;
    loop {
        match endpoint.poll_output() {
            Output::CloseFlow(flow) => panic!("{flow:?} is to be closed"),
            Output::Transmit(transmit) => course.sent.push((millis(now), transmit.reason)),
            Output::Indication(Indication::Failed { cause, .. }) => {
                course.failed.push((millis(now), cause));
            }
            Output::Indication(_) => {}
            Output::Timeout(Some(deadline)) => {
                now = now.max(deadline);
                endpoint.handle_timeout(now);
            }
            Output::Timeout(None) => {
                course.idle_at = Some(millis(now));
                return course;
            }
        }
    }
}

/// A request without answer, or with this answer after a second.
fn client(method: &Method, transport: Transport, answer: Option<u16>) -> Course {
    client_with(Timers::default(), method, transport, answer)
}

fn client_with(
    timers: Timers,
    method: &Method,
    transport: Transport,
    answer: Option<u16>,
) -> Course {
    let mut endpoint = Endpoint::new(timers, 1);
    let message = request(method, "z9hG4bK1", 1);
    endpoint.send_request(at(0), flow(transport), message.clone());
    let Some(code) = answer else {
        return run(&mut endpoint, at(0));
    };
    let bytes = response(&message, code).wire().clone();
    endpoint.handle_sip(at(0), flow(transport), bytes);
    run(&mut endpoint, at(0))
}

/// A request that was received and answered at once; `then` may happen at a second.
fn server(method: &Method, transport: Transport, answer: u16, ack: Option<Message>) -> Course {
    let mut endpoint = Endpoint::new(Timers::default(), 1);
    let message = request(method, "z9hG4bK1", 1);
    endpoint.handle_sip(at(0), flow(transport), message.wire().clone());
    let Output::Indication(Indication::Request { transaction, .. }) = endpoint.poll_output() else {
        panic!("the request was not shown");
    };
    endpoint.respond(at(0), transaction, response(&message, answer));
    if let Some(ack) = ack {
        endpoint.handle_sip(at(0), flow(transport), ack.wire().clone());
    }
    run(&mut endpoint, at(0))
}

#[test]
fn timer_a_doubles_without_bound_over_udp_and_does_not_run_over_tcp() {
    let course = client(&Method::Invite, Udp, None);
    let copies = course.times(Retransmission('A'));
    assert_eq!(copies, [500, 1500, 3500, 7500, 15_500, 31_500]);
    let course = client(&Method::Invite, Tcp, None);
    assert!(course.times(Retransmission('A')).is_empty());
}

#[test]
fn timer_b_gives_an_unanswered_invite_up_after_64_t1() {
    for transport in [Udp, Tcp] {
        let course = client(&Method::Invite, transport, None);
        assert_eq!(course.failed, [(32_000, Failure::Timeout('B'))]);
    }
}

#[test]
fn timer_d_absorbs_copies_of_a_refusal_for_32_seconds_over_udp_only() {
    for (transport, idle_at) in [(Udp, 32_000), (Tcp, 0)] {
        let course = client(&Method::Invite, transport, Some(486));
        assert_eq!(course.idle_at, Some(idle_at));
        assert!(course.failed.is_empty());
    }
}

#[test]
fn timer_e_doubles_up_to_t2_over_udp_and_does_not_run_over_tcp() {
    let course = client(&Method::Subscribe, Udp, None);
    let copies = course.times(Retransmission('E'));
    let expected = [
        500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ];
    assert_eq!(copies, expected);
    let course = client(&Method::Subscribe, Tcp, None);
    assert!(course.times(Retransmission('E')).is_empty());
}

#[test]
fn timer_e_becomes_t2_once_a_provisional_response_has_come() {
    let course = client(&Method::Subscribe, Udp, Some(100));
    let copies = course.times(Retransmission('E'));
    let expected = [500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500];
    assert_eq!(copies, expected);
    assert_eq!(course.failed, [(32_000, Failure::Timeout('F'))]);
}

#[test]
fn timer_f_gives_an_unanswered_request_up_after_64_t1() {
    for transport in [Udp, Tcp] {
        let course = client(&Method::Subscribe, transport, None);
        assert_eq!(course.failed, [(32_000, Failure::Timeout('F'))]);
        assert_eq!(course.idle_at, Some(32_000));
    }
}

#[test]
fn timer_g_doubles_up_to_t2_over_udp_and_does_not_run_over_tcp() {
    let course = server(&Method::Invite, Udp, 486, None);
    let copies = course.times(Retransmission('G'));
    let expected = [
        500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ];
    assert_eq!(copies, expected);
    let course = server(&Method::Invite, Tcp, 486, None);
    assert!(course.times(Retransmission('G')).is_empty());
}

#[test]
fn timer_h_gives_up_on_the_ack_after_64_t1() {
    for transport in [Udp, Tcp] {
        let course = server(&Method::Invite, transport, 486, None);
        assert_eq!(course.failed, [(32_000, Failure::Timeout('H'))]);
    }
}

#[test]
fn timer_i_absorbs_copies_of_the_ack_for_t4_over_udp_only() {
    for (transport, idle_at) in [(Udp, 5000), (Tcp, 0)] {
        let ack = request(&Method::Ack, "z9hG4bK1", 1);
        let course = server(&Method::Invite, transport, 486, Some(ack));
        assert_eq!(course.idle_at, Some(idle_at));
        assert!(course.failed.is_empty());
        assert!(course.times(Retransmission('G')).is_empty());
    }
}

#[test]
fn timer_j_keeps_the_answer_for_64_t1_over_udp_only() {
    for (transport, idle_at) in [(Udp, 32_000), (Tcp, 0)] {
        let course = server(&Method::Notify, transport, 200, None);
        assert_eq!(course.idle_at, Some(idle_at));
    }
}

#[test]
fn timer_k_absorbs_copies_of_the_answer_for_t4_over_udp_only() {
    for (transport, idle_at) in [(Udp, 5000), (Tcp, 0)] {
        let course = client(&Method::Subscribe, transport, Some(200));
        assert_eq!(course.idle_at, Some(idle_at));
        assert!(course.failed.is_empty());
    }
}

#[test]
fn timer_l_keeps_an_accepted_invite_for_64_t1_on_every_transport() {
    for transport in [Udp, Tcp] {
        let ack = request(&Method::Ack, "z9hG4bKother", 1);
        let course = server(&Method::Invite, transport, 200, Some(ack));
        assert_eq!(course.idle_at, Some(32_000));
        assert!(course.failed.is_empty());
        assert!(course.times(Retransmission('2')).is_empty());
    }
}

#[test]
fn a_2xx_is_sent_again_on_every_transport_until_timer_l_misses_its_ack() {
    for transport in [Udp, Tcp] {
        let course = server(&Method::Invite, transport, 200, None);
        let copies = course.times(Retransmission('2'));
        assert_eq!(copies[..5], [500, 1500, 3500, 7500, 11_500]);
        assert_eq!(course.failed, [(32_000, Failure::Timeout('L'))]);
    }
}

#[test]
fn timer_m_keeps_an_accepted_call_for_64_t1_on_every_transport() {
    for transport in [Udp, Tcp] {
        let course = client(&Method::Invite, transport, Some(200));
        assert_eq!(course.idle_at, Some(32_000));
        assert!(course.failed.is_empty());
    }
}

#[test]
fn every_habit_of_retransmission_is_a_value() {
    let sound = Timers::default();
    for (timers, expected, given_up) in [
        (
            Timers {
                retransmit_requests: false,
                ..sound.clone()
            },
            &[][..],
            32_000,
        ),
        (
            Timers {
                growth: Growth::Fixed,
                patience: 4,
                ..sound.clone()
            },
            &[500, 1000, 1500],
            2000,
        ),
        (
            Timers {
                first_interval: Some(seconds(2)),
                patience: 16,
                ..sound.clone()
            },
            &[2000, 6000],
            8000,
        ),
        (
            Timers {
                t1: seconds(1),
                ..sound
            },
            &[
                1000, 3000, 7000, 11_000, 15_000, 19_000, 23_000, 27_000, 31_000, 35_000, 39_000,
                43_000, 47_000, 51_000, 55_000, 59_000, 63_000,
            ],
            64_000,
        ),
    ] {
        let course = client_with(timers, &Method::Subscribe, Udp, None);
        assert_eq!(course.times(Retransmission('E')), expected);
        assert_eq!(course.failed, [(given_up, Failure::Timeout('F'))]);
    }
}

#[test]
fn an_interval_of_nothing_neither_hangs_nor_floods_one_step() {
    let timers = Timers {
        first_interval: Some(seconds(0)),
        growth: Growth::Fixed,
        ..Timers::default()
    };
    let mut endpoint = Endpoint::new(timers, 1);
    endpoint.send_request(at(0), flow(Udp), request(&Method::Options, "z9hG4bK1", 1));
    endpoint.handle_timeout(at(0));
    let mut copies = 0;
    while let Output::Transmit(_) = endpoint.poll_output() {
        copies += 1;
    }
    assert_eq!(copies, 2);
}

#[test]
fn a_driver_that_is_late_sends_one_copy_and_not_a_burst() {
    let mut endpoint = Endpoint::new(Timers::default(), 1);
    endpoint.send_request(at(0), flow(Udp), request(&Method::Options, "z9hG4bK1", 1));
    let mut copies = 0;
    let late = at(10_000);
    loop {
        match endpoint.poll_output() {
            Output::Transmit(_) => copies += 1,
            Output::Timeout(Some(deadline)) if deadline <= late => endpoint.handle_timeout(late),
            _ => break,
        }
    }
    assert_eq!(copies, 2);
}

#[test]
fn early_and_repeated_timeouts_change_nothing() {
    let mut endpoint = Endpoint::new(Timers::default(), 1);
    endpoint.send_request(at(0), flow(Udp), request(&Method::Options, "z9hG4bK1", 1));
    endpoint.poll_output();
    let before = endpoint.poll_output();
    for _ in 0..3 {
        endpoint.handle_timeout(at(499));
        assert_eq!(endpoint.poll_output(), before);
    }
}
