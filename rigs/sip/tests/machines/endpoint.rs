//! What the endpoint matches, absorbs, acknowledges and reports.

use crate::messages::{at, flow, request, request_from, response};
use bytes::Bytes;
use sip::endpoint::{Endpoint, Failure, Indication, Output, TransactionId};
use sip::message::{Builder, Message, Method};
use sip::node::Transport::{Tcp, Udp};
use sip::node::{Transmit, TransmitReason};
use sip::timer::Timers;

fn endpoint() -> Endpoint {
    Endpoint::new(Timers::default(), 1)
}

/// Everything until the time-out.
fn drain(endpoint: &mut Endpoint) -> (Vec<Transmit>, Vec<Indication>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    loop {
        match endpoint.poll_output() {
            Output::CloseFlow(flow) => panic!("{flow:?} is to be closed"),
            Output::Transmit(transmit) => sent.push(transmit),
            Output::Indication(indication) => told.push(indication),
            Output::Timeout(_) => return (sent, told),
        }
    }
}

fn receive(endpoint: &mut Endpoint, message: &Message) -> (Vec<Transmit>, Vec<Indication>) {
    endpoint.handle_sip(at(0), flow(Udp), message.wire().clone());
    drain(endpoint)
}

fn shown(told: &[Indication]) -> TransactionId {
    match told {
        [Indication::Request { transaction, .. }] => *transaction,
        other => panic!("one request expected, not {other:?}"),
    }
}

#[test]
fn a_copy_of_a_request_is_absorbed_and_answered_from_store() {
    let mut endpoint = endpoint();
    let notify = request(&Method::Notify, "z9hG4bK1", 1);
    let transaction = shown(&receive(&mut endpoint, &notify).1);
    assert_eq!(receive(&mut endpoint, &notify), (vec![], vec![]));
    endpoint.respond(at(1), transaction, response(&notify, 200));
    let first = drain(&mut endpoint).0;
    let (again, told) = receive(&mut endpoint, &notify);
    assert!(told.is_empty());
    assert_eq!(again[0].bytes, first[0].bytes);
    assert_eq!(again[0].reason, TransmitReason::Replay);
}

#[test]
fn a_server_transaction_is_named_by_branch_sent_by_and_method() {
    for (other, same) in [
        (request(&Method::Notify, "z9hG4bK1", 1), true),
        (request(&Method::Notify, "z9hG4bK1", 2), true),
        (request(&Method::Notify, "z9hG4bK2", 1), false),
        (request(&Method::Options, "z9hG4bK1", 1), false),
        (
            request_from(&Method::Notify, "z9hG4bK1", 1, "10.0.0.3:5060"),
            false,
        ),
    ] {
        let mut endpoint = endpoint();
        receive(&mut endpoint, &request(&Method::Notify, "z9hG4bK1", 1));
        let (_, told) = receive(&mut endpoint, &other);
        assert_eq!(told.is_empty(), same, "{other:?}");
    }
}

#[test]
fn a_branch_without_the_cookie_is_matched_as_in_rfc_2543() {
    let mut endpoint = endpoint();
    let invite = request(&Method::Invite, "1", 1);
    let transaction = shown(&receive(&mut endpoint, &invite).1);
    assert_eq!(receive(&mut endpoint, &invite), (vec![], vec![]));
    assert_eq!(
        receive(&mut endpoint, &request(&Method::Invite, "1", 2))
            .1
            .len(),
        1,
        "another CSeq number is another request"
    );
    endpoint.respond(at(1), transaction, response(&invite, 486));
    drain(&mut endpoint);
    let (sent, told) = receive(&mut endpoint, &request(&Method::Ack, "1", 1));
    assert_eq!((sent, told), (vec![], vec![]), "the ACK closes the refusal");
}

#[test]
fn everything_that_rfc_2543_compares_tells_two_requests_apart() {
    let first = request(&Method::Notify, "1", 1);
    let text = String::from_utf8(first.wire().to_vec()).unwrap();
    for (old, new) in [
        ("Call-ID: call-1", "Call-ID: call-2"),
        ("tag=anna", "tag=bert"),
        ("NOTIFY sip:anna", "NOTIFY sip:bert"),
        ("branch=1", "branch=2"),
        ("1 NOTIFY", "2 NOTIFY"),
    ] {
        let mut endpoint = endpoint();
        receive(&mut endpoint, &first);
        let other = Message::parse(text.replace(old, new).into()).unwrap();
        assert_eq!(receive(&mut endpoint, &other).1.len(), 1, "{new}");
    }
}

#[test]
fn a_response_finds_its_request_by_branch_and_method() {
    let subscribe = request(&Method::Subscribe, "z9hG4bK1", 1);
    for (answer, found) in [
        (response(&subscribe, 200), true),
        (
            response(&request(&Method::Subscribe, "z9hG4bK2", 1), 200),
            false,
        ),
        (
            response(&request(&Method::Options, "z9hG4bK1", 1), 200),
            false,
        ),
    ] {
        let mut endpoint = endpoint();
        let id = endpoint.send_request(at(0), flow(Udp), subscribe.clone());
        drain(&mut endpoint);
        let (_, told) = receive(&mut endpoint, &answer);
        let expected = if found {
            Indication::Response {
                transaction: id,
                flow: flow(Udp),
                message: answer,
            }
        } else {
            Indication::Stray {
                flow: flow(Udp),
                message: answer,
            }
        };
        assert_eq!(told, [expected]);
    }
}

#[test]
fn a_late_copy_of_a_response_is_a_stray_once_the_transaction_is_gone() {
    let mut endpoint = endpoint();
    let subscribe = request(&Method::Subscribe, "z9hG4bK1", 1);
    endpoint.send_request(at(0), flow(Udp), subscribe.clone());
    receive(&mut endpoint, &response(&subscribe, 200));
    let (_, told) = receive(&mut endpoint, &response(&subscribe, 200));
    assert!(told.is_empty(), "absorbed by Timer K");
    endpoint.handle_timeout(at(5000));
    let (_, told) = receive(&mut endpoint, &response(&subscribe, 200));
    assert!(matches!(told[..], [Indication::Stray { .. }]));
}

#[test]
fn the_ack_to_a_refusal_ends_there_and_the_ack_to_a_2xx_goes_up() {
    for (code, ack_branch, goes_up) in [
        (486, "z9hG4bK1", false),
        (200, "z9hG4bK2", true),
        (200, "z9hG4bK1", true),
    ] {
        let mut endpoint = endpoint();
        let invite = request(&Method::Invite, "z9hG4bK1", 1);
        let transaction = shown(&receive(&mut endpoint, &invite).1);
        endpoint.respond(at(1), transaction, response(&invite, code));
        drain(&mut endpoint);
        let (sent, told) = receive(&mut endpoint, &request(&Method::Ack, ack_branch, 1));
        assert!(sent.is_empty());
        let up = matches!(told[..], [Indication::Ack { .. }]);
        assert_eq!(up, goes_up, "{code} {ack_branch}");
        endpoint.handle_timeout(at(1000));
        assert!(drain(&mut endpoint).0.is_empty(), "nothing is sent again");
    }
}

#[test]
fn an_ack_with_another_branch_closes_no_refusal() {
    let mut endpoint = endpoint();
    let invite = request(&Method::Invite, "z9hG4bK1", 1);
    let transaction = shown(&receive(&mut endpoint, &invite).1);
    endpoint.respond(at(0), transaction, response(&invite, 486));
    drain(&mut endpoint);
    receive(&mut endpoint, &request(&Method::Ack, "z9hG4bK2", 1));
    endpoint.handle_timeout(at(500));
    let sent = drain(&mut endpoint).0;
    assert_eq!(sent[0].reason, TransmitReason::Retransmission('G'));
}

#[test]
fn an_ack_to_nothing_goes_up() {
    let (_, told) = receive(&mut endpoint(), &request(&Method::Ack, "z9hG4bK1", 1));
    assert!(matches!(told[..], [Indication::Ack { .. }]));
}

#[test]
fn a_refused_invite_is_acknowledged_by_the_endpoint_itself() {
    let mut endpoint = endpoint();
    let invite = request(&Method::Invite, "z9hG4bK1", 1);
    endpoint.send_request(at(0), flow(Udp), invite.clone());
    drain(&mut endpoint);
    let (sent, told) = receive(&mut endpoint, &response(&invite, 486));
    assert!(sent[0].bytes.starts_with(b"ACK "));
    assert!(matches!(told[..], [Indication::Response { .. }]));
    let (sent, told) = receive(&mut endpoint, &response(&invite, 486));
    assert_eq!(sent[0].reason, TransmitReason::Replay);
    assert!(told.is_empty());
}

#[test]
fn a_cancel_is_its_own_transaction_and_its_answer_is_not_told() {
    let mut endpoint = endpoint();
    let invite = request(&Method::Invite, "z9hG4bK1", 1);
    let id = endpoint.send_request(at(0), flow(Udp), invite.clone());
    drain(&mut endpoint);
    endpoint.cancel(at(1), id);
    assert!(drain(&mut endpoint).0.is_empty(), "no provisional yet");
    let (sent, _) = receive(&mut endpoint, &response(&invite, 180));
    let cancel = Message::parse(sent[0].bytes.clone()).unwrap();
    assert_eq!(cancel.method(), Some(&Method::Cancel));
    assert_eq!(
        receive(&mut endpoint, &response(&cancel, 200)),
        (vec![], vec![])
    );
    let (sent, told) = receive(&mut endpoint, &response(&invite, 487));
    assert!(sent[0].bytes.starts_with(b"ACK "));
    assert!(matches!(told[..], [Indication::Response { .. }]));
}

#[test]
fn a_cancelled_invite_that_is_never_answered_fails() {
    let mut endpoint = endpoint();
    let invite = request(&Method::Invite, "z9hG4bK1", 1);
    let id = endpoint.send_request(at(0), flow(Udp), invite.clone());
    receive(&mut endpoint, &response(&invite, 180));
    endpoint.cancel(at(0), id);
    drain(&mut endpoint);
    endpoint.handle_timeout(at(32_000));
    let failed = Indication::Failed {
        transaction: id,
        cause: Failure::Timeout('B'),
    };
    assert_eq!(drain(&mut endpoint).1, [failed]);
}

#[test]
fn a_cancel_that_is_received_names_its_invite() {
    let mut endpoint = endpoint();
    let invite = shown(&receive(&mut endpoint, &request(&Method::Invite, "z9hG4bK1", 1)).1);
    let cancel = shown(&receive(&mut endpoint, &request(&Method::Cancel, "z9hG4bK1", 1)).1);
    let other = shown(&receive(&mut endpoint, &request(&Method::Cancel, "z9hG4bK2", 1)).1);
    assert_eq!(endpoint.invite_of(cancel), Some(invite));
    assert_eq!(endpoint.invite_of(other), None);
}

#[test]
fn a_closed_flow_fails_what_waits_on_it_and_nothing_else() {
    let mut endpoint = endpoint();
    let on_tcp = request(&Method::Subscribe, "z9hG4bK1", 1);
    let on_udp = request(&Method::Subscribe, "z9hG4bK2", 1);
    let id = endpoint.send_request(at(0), flow(Tcp), on_tcp);
    endpoint.send_request(at(0), flow(Udp), on_udp);
    drain(&mut endpoint);
    endpoint.handle_flow_closed(at(1), flow(Tcp));
    let failed = Indication::Failed {
        transaction: id,
        cause: Failure::Transport,
    };
    assert_eq!(drain(&mut endpoint).1, [failed]);
    assert_eq!(endpoint.open_transactions(), 1);
}

#[test]
fn a_forgotten_request_is_not_sent_again_and_its_answer_is_a_stray() {
    let mut endpoint = endpoint();
    let subscribe = request(&Method::Subscribe, "z9hG4bK1", 1);
    let id = endpoint.send_request(at(0), flow(Udp), subscribe.clone());
    drain(&mut endpoint);
    endpoint.forget(id);
    assert_eq!(endpoint.poll_output(), Output::Timeout(None));
    let (_, told) = receive(&mut endpoint, &response(&subscribe, 200));
    assert!(matches!(told[..], [Indication::Stray { .. }]));
}

#[test]
fn a_node_that_does_not_absorb_shows_a_copy_as_a_request_of_its_own() {
    let timers = Timers {
        absorb_retransmissions: false,
        ..Timers::default()
    };
    let mut endpoint = Endpoint::new(timers, 1);
    let notify = request(&Method::Notify, "z9hG4bK1", 1);
    let first = shown(&receive(&mut endpoint, &notify).1);
    let second = shown(&receive(&mut endpoint, &notify).1);
    assert_ne!(first, second);
    endpoint.respond(at(1), first, response(&notify, 200));
    endpoint.respond(at(1), second, response(&notify, 200));
    assert_eq!(drain(&mut endpoint).0.len(), 2);
    endpoint.handle_timeout(at(60_000));
    assert_eq!(endpoint.open_transactions(), 0);
}

#[test]
fn an_answer_goes_to_the_source_with_rport_and_to_the_port_in_via_without() {
    for (via, port) in [
        ("SIP/2.0/UDP 10.0.0.2:5070;rport;branch=z9hG4bK1", 5060),
        ("SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bK1", 5070),
        ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", 5060),
    ] {
        let mut endpoint = endpoint();
        let options = Builder::request(&Method::Options, "sip:a@b")
            .header("Via", via)
            .header("From", "<sip:a@b>;tag=1")
            .header("To", "<sip:a@b>")
            .header("Call-ID", "c")
            .header("CSeq", "1 OPTIONS")
            .build()
            .unwrap();
        let transaction = shown(&receive(&mut endpoint, &options).1);
        endpoint.respond(at(0), transaction, response(&options, 200));
        let sent = drain(&mut endpoint).0;
        assert_eq!(sent[0].flow.remote.port(), port, "{via}");
        assert_eq!(sent[0].flow.remote.ip(), flow(Udp).remote.ip());
    }
}

#[test]
fn messages_on_a_stream_are_framed_whatever_the_pieces() {
    let one = request(&Method::Notify, "z9hG4bK1", 1);
    let two = request(&Method::Notify, "z9hG4bK2", 2);
    let both = [one.wire().as_ref(), two.wire().as_ref()].concat();
    for size in [1, 7, 100, both.len()] {
        let mut endpoint = endpoint();
        for piece in both.chunks(size) {
            endpoint.handle_sip(at(0), flow(Tcp), Bytes::copy_from_slice(piece));
        }
        assert_eq!(drain(&mut endpoint).1.len(), 2, "pieces of {size}");
    }
}

#[test]
fn garbage_is_reported_and_keep_alives_are_not() {
    let mut endpoint = endpoint();
    for (bytes, reported) in [
        (&b"\r\n\r\n"[..], false),
        (&b"\0"[..], false),
        (&b""[..], false),
        (&b"HELLO\r\n\r\n"[..], true),
        (
            &b"OPTIONS sip:a SIP/2.0\r\nFrom: <sip:a>;tag=1\r\n\r\n"[..],
            true,
        ),
    ] {
        endpoint.handle_sip(at(0), flow(Udp), Bytes::copy_from_slice(bytes));
        let (sent, told) = drain(&mut endpoint);
        assert!(sent.is_empty(), "the endpoint answers nothing by itself");
        assert_eq!(
            matches!(told[..], [Indication::Garbage { .. }]),
            reported,
            "{bytes:?}"
        );
    }
}

#[test]
fn a_stream_whose_framing_is_lost_is_reported_and_closed_once() {
    for lost in [
        "OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n".to_owned(),
        format!("OPTIONS sip:a SIP/2.0\r\nX: {}", "x".repeat(70_000)),
    ] {
        let mut endpoint = endpoint();
        endpoint.handle_sip(at(0), flow(Tcp), lost.into());
        let told = endpoint.poll_output();
        assert!(matches!(
            told,
            Output::Indication(Indication::Garbage { .. })
        ));
        assert_eq!(endpoint.poll_output(), Output::CloseFlow(flow(Tcp)));
        assert_eq!(endpoint.poll_output(), Output::Timeout(None));
        // What is still on its way is of the old connection, whatever it looks like.
        let notify = request(&Method::Notify, "z9hG4bK1", 1);
        endpoint.handle_sip(at(1), flow(Tcp), notify.wire().clone());
        assert_eq!(endpoint.poll_output(), Output::Timeout(None));
        endpoint.handle_flow_closed(at(2), flow(Tcp));
        endpoint.handle_sip(at(3), flow(Tcp), notify.wire().clone());
        assert_eq!(drain(&mut endpoint).1.len(), 1, "a new connection");
    }
}

#[test]
fn the_same_seed_names_the_same_and_a_clone_goes_on_alike() {
    let (mut one, mut two) = (endpoint(), endpoint());
    assert_eq!(one.new_branch(), two.new_branch());
    assert_eq!(one.new_tag(), two.new_tag());
    let mut clone = one.clone();
    assert_eq!(one.new_call_id(), clone.new_call_id());
    let mut other = Endpoint::new(Timers::default(), 2);
    assert_ne!(other.new_branch(), endpoint().new_branch());
}
