//! The tables in the heads of the four machines, row by row.

use crate::messages::{at, request, response};
use sip::message::{Message, Method};
use sip::node::TransmitReason::{self, First, Replay};
use sip::timer::Timers;
use sip::transaction::{
    Action, ClientInvite, ClientInviteState, ClientNonInvite, ClientNonInviteState, Failure,
    ServerInvite, ServerInviteState, ServerNonInvite, ServerNonInviteState,
};

/// What an action was, without its bytes.
#[derive(Debug, PartialEq)]
enum Did {
    Sent(String, TransmitReason),
    Delivered(String),
    Failed(Failure),
}

fn sent(what: &str, reason: TransmitReason) -> Did {
    Did::Sent(what.to_owned(), reason)
}

fn delivered(what: &str) -> Did {
    Did::Delivered(what.to_owned())
}

fn name(message: &Message) -> String {
    message.method().map_or_else(
        || message.status().unwrap().to_string(),
        |method| method.as_str().to_owned(),
    )
}

fn did(actions: Vec<Action>) -> Vec<Did> {
    let describe = |action| match action {
        Action::Transmit(bytes, reason) => Did::Sent(name(&Message::parse(bytes).unwrap()), reason),
        Action::Deliver(message) => Did::Delivered(name(&message)),
        Action::Fail(failure) => Did::Failed(failure),
    };
    actions.into_iter().map(describe).collect()
}

mod client_non_invite {
    use super::*;

    /// Feeds the codes one by one; the reactions to the last one, and where it led.
    fn after(codes: &[u16], reliable: bool) -> (Vec<Did>, &'static str) {
        let subscribe = request(&Method::Subscribe, "z9hG4bK1", 1);
        let timers = Timers::default();
        let mut actions = Vec::new();
        let bytes = subscribe.wire().clone();
        let mut machine = ClientNonInvite::new(at(0), &timers, bytes, reliable, &mut actions);
        assert_eq!(did(actions), [sent("SUBSCRIBE", First)]);
        let mut last = Vec::new();
        for code in codes {
            last = Vec::new();
            machine.handle_response(at(10), &timers, response(&subscribe, *code), &mut last);
        }
        let state = match machine.state() {
            ClientNonInviteState::Trying { .. } => "Trying",
            ClientNonInviteState::Proceeding { .. } => "Proceeding",
            ClientNonInviteState::Completed { .. } => "Completed",
            ClientNonInviteState::Terminated => "Terminated",
        };
        (did(last), state)
    }

    #[test]
    fn every_response_leads_where_the_table_says() {
        for (codes, reactions, state) in [
            (&[][..], vec![], "Trying"),
            (&[100], vec![delivered("100")], "Proceeding"),
            (&[100, 180], vec![delivered("180")], "Proceeding"),
            (&[200], vec![delivered("200")], "Completed"),
            (&[100, 489], vec![delivered("489")], "Completed"),
            (&[200, 200], vec![], "Completed"),
            (&[200, 100], vec![], "Completed"),
            (&[415, 500], vec![], "Completed"),
        ] {
            assert_eq!(after(codes, false), (reactions, state), "{codes:?}");
        }
    }

    #[test]
    fn a_reliable_transport_leaves_nothing_to_wait_for() {
        assert_eq!(after(&[200], true), (vec![delivered("200")], "Terminated"));
    }

    #[test]
    fn a_closed_flow_fails_it_only_while_it_waits() {
        let subscribe = request(&Method::Subscribe, "z9hG4bK1", 1);
        let timers = Timers::default();
        for (answered, expected) in [
            (false, vec![Did::Failed(Failure::Transport)]),
            (true, vec![]),
        ] {
            let bytes = subscribe.wire().clone();
            let mut machine = ClientNonInvite::new(at(0), &timers, bytes, false, &mut Vec::new());
            if answered {
                let ok = response(&subscribe, 200);
                machine.handle_response(at(1), &timers, ok, &mut Vec::new());
            }
            let mut actions = Vec::new();
            machine.handle_flow_closed(&mut actions);
            assert_eq!(did(actions), expected);
            assert_eq!(*machine.state(), ClientNonInviteState::Terminated);
        }
    }
}

mod client_invite {
    use super::*;

    fn after(codes: &[u16], reliable: bool) -> (Vec<Did>, &'static str) {
        let invite = request(&Method::Invite, "z9hG4bK1", 1);
        let timers = Timers::default();
        let mut actions = Vec::new();
        let mut machine = ClientInvite::new(at(0), &timers, invite.clone(), reliable, &mut actions);
        assert_eq!(did(actions), [sent("INVITE", First)]);
        let mut last = Vec::new();
        for code in codes {
            last = Vec::new();
            machine.handle_response(at(10), &timers, response(&invite, *code), &mut last);
        }
        let state = match machine.state() {
            ClientInviteState::Calling { .. } => "Calling",
            ClientInviteState::Proceeding { .. } => "Proceeding",
            ClientInviteState::Accepted { .. } => "Accepted",
            ClientInviteState::Completed { .. } => "Completed",
            ClientInviteState::Terminated => "Terminated",
        };
        (did(last), state)
    }

    #[test]
    fn every_response_leads_where_the_table_says() {
        for (codes, reactions, state) in [
            (&[][..], vec![], "Calling"),
            (&[100], vec![delivered("100")], "Proceeding"),
            (&[100, 183], vec![delivered("183")], "Proceeding"),
            (&[200], vec![delivered("200")], "Accepted"),
            (&[180, 200], vec![delivered("200")], "Accepted"),
            (&[200, 200], vec![delivered("200")], "Accepted"),
            (&[200, 180], vec![], "Accepted"),
            (&[200, 486], vec![], "Accepted"),
            (
                &[486],
                vec![sent("ACK", First), delivered("486")],
                "Completed",
            ),
            (
                &[180, 603],
                vec![sent("ACK", First), delivered("603")],
                "Completed",
            ),
            (&[486, 486], vec![sent("ACK", Replay)], "Completed"),
            (&[486, 180], vec![], "Completed"),
            (&[486, 200], vec![], "Completed"),
        ] {
            assert_eq!(after(codes, false), (reactions, state), "{codes:?}");
        }
    }

    #[test]
    fn a_refusal_over_a_reliable_transport_is_acknowledged_and_done() {
        let reactions = vec![sent("ACK", First), delivered("486")];
        assert_eq!(after(&[486], true), (reactions, "Terminated"));
        assert_eq!(after(&[200], true).1, "Accepted");
    }

    #[test]
    fn the_ack_to_a_refusal_is_made_of_the_invite_and_the_to_of_the_response() {
        let invite = request(&Method::Invite, "z9hG4bK1", 7);
        let timers = Timers::default();
        let mut machine = ClientInvite::new(at(0), &timers, invite.clone(), false, &mut Vec::new());
        let mut actions = Vec::new();
        machine.handle_response(at(1), &timers, response(&invite, 486), &mut actions);
        let Some(Action::Transmit(bytes, _)) = actions.first() else {
            panic!("no ACK");
        };
        let ack = Message::parse(bytes.clone()).unwrap();
        assert_eq!(ack.request_uri(), invite.request_uri());
        assert_eq!(ack.cseq(), Some((7, Method::Ack)));
        assert_eq!(ack.to_tag(), Some("as"));
        assert_eq!(ack.header("From"), invite.header("From"));
        assert_eq!(ack.call_id(), invite.call_id());
        assert_eq!(ack.header("Route"), invite.header("Route"));
        assert_eq!(ack.values("Via").len(), 1, "only the topmost Via");
        assert_eq!(ack.branch(), Some("z9hG4bK1"));
    }

    #[test]
    fn a_cancel_waits_for_a_provisional_response_and_is_sent_once() {
        let invite = request(&Method::Invite, "z9hG4bK1", 7);
        let timers = Timers::default();
        let mut machine = ClientInvite::new(at(0), &timers, invite.clone(), false, &mut Vec::new());
        machine.cancel();
        assert!(machine.take_cancel(at(1), &timers).is_none());
        machine.handle_response(at(2), &timers, response(&invite, 100), &mut Vec::new());
        let cancel = machine.take_cancel(at(2), &timers).unwrap();
        assert_eq!(cancel.method(), Some(&Method::Cancel));
        assert_eq!(cancel.cseq(), Some((7, Method::Cancel)));
        assert_eq!(cancel.branch(), Some("z9hG4bK1"));
        assert_eq!(cancel.header("To"), invite.header("To"));
        machine.cancel();
        assert!(machine.take_cancel(at(3), &timers).is_none());
        let mut actions = Vec::new();
        machine.handle_timeout(at(32_002), &timers, &mut actions);
        assert_eq!(did(actions), [Did::Failed(Failure::Timeout('B'))]);
    }
}

mod server_non_invite {
    use super::*;

    fn after(codes: &[u16], reliable: bool) -> (Vec<Did>, Vec<Did>, &'static str) {
        let notify = request(&Method::Notify, "z9hG4bK1", 1);
        let timers = Timers::default();
        let mut machine = ServerNonInvite::new(reliable);
        let mut last = Vec::new();
        for code in codes {
            last = Vec::new();
            machine.respond(at(10), &timers, &response(&notify, *code), &mut last);
        }
        let mut again = Vec::new();
        machine.handle_retransmission(&mut again);
        let state = match machine.state() {
            ServerNonInviteState::Trying => "Trying",
            ServerNonInviteState::Proceeding { .. } => "Proceeding",
            ServerNonInviteState::Completed { .. } => "Completed",
            ServerNonInviteState::Terminated => "Terminated",
        };
        (did(last), did(again), state)
    }

    #[test]
    fn every_answer_leads_where_the_table_says_and_a_copy_gets_the_stored_one() {
        for (codes, sends, again, state) in [
            (&[][..], vec![], vec![], "Trying"),
            (
                &[100],
                vec![sent("100", First)],
                vec![sent("100", Replay)],
                "Proceeding",
            ),
            (
                &[100, 200],
                vec![sent("200", First)],
                vec![sent("200", Replay)],
                "Completed",
            ),
            (
                &[481],
                vec![sent("481", First)],
                vec![sent("481", Replay)],
                "Completed",
            ),
            (&[481, 200], vec![], vec![sent("481", Replay)], "Completed"),
        ] {
            assert_eq!(after(codes, false), (sends, again, state), "{codes:?}");
        }
        let done = (vec![sent("200", First)], vec![], "Terminated");
        assert_eq!(after(&[200], true), done);
    }
}

mod server_invite {
    use super::*;

    enum Input {
        Answer(u16),
        Again,
        Ack,
    }
    use Input::{Ack, Again, Answer};

    fn after(inputs: &[Input], reliable: bool) -> (Vec<Did>, &'static str) {
        let invite = request(&Method::Invite, "z9hG4bK1", 1);
        let ack = request(&Method::Ack, "z9hG4bK1", 1);
        let timers = Timers::default();
        let mut machine = ServerInvite::new(reliable);
        let mut last = Vec::new();
        for input in inputs {
            last = Vec::new();
            match input {
                Answer(code) => {
                    machine.respond(at(10), &timers, &response(&invite, *code), &mut last);
                }
                Again => machine.handle_retransmission(&mut last),
                Ack => machine.handle_ack(at(20), &timers, ack.clone(), &mut last),
            }
        }
        let state = match machine.state() {
            ServerInviteState::Proceeding { .. } => "Proceeding",
            ServerInviteState::Accepted { .. } => "Accepted",
            ServerInviteState::Completed { .. } => "Completed",
            ServerInviteState::Confirmed { .. } => "Confirmed",
            ServerInviteState::Terminated => "Terminated",
        };
        (did(last), state)
    }

    #[test]
    fn every_input_leads_where_the_table_says() {
        for (inputs, reactions, state) in [
            (&[Again][..], vec![], "Proceeding"),
            (&[Answer(100)], vec![sent("100", First)], "Proceeding"),
            (
                &[Answer(100), Again],
                vec![sent("100", Replay)],
                "Proceeding",
            ),
            (&[Ack], vec![], "Proceeding"),
            (&[Answer(200)], vec![sent("200", First)], "Accepted"),
            (&[Answer(200), Again], vec![], "Accepted"),
            (
                &[Answer(200), Answer(200)],
                vec![sent("200", First)],
                "Accepted",
            ),
            (&[Answer(200), Answer(486)], vec![], "Accepted"),
            (&[Answer(200), Ack], vec![delivered("ACK")], "Accepted"),
            (&[Answer(486)], vec![sent("486", First)], "Completed"),
            (
                &[Answer(486), Again],
                vec![sent("486", Replay)],
                "Completed",
            ),
            (&[Answer(486), Answer(200)], vec![], "Completed"),
            (&[Answer(486), Ack], vec![], "Confirmed"),
            (&[Answer(486), Ack, Again], vec![], "Confirmed"),
            (&[Answer(486), Ack, Ack], vec![], "Confirmed"),
        ] {
            assert_eq!(after(inputs, false), (reactions, state));
        }
        assert_eq!(after(&[Answer(486), Ack], true), (vec![], "Terminated"));
    }
}
