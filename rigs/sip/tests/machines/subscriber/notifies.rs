//! Which NOTIFYs are taken, and what is said to the others.

use super::{ACTIVE, EVENT, Notify, Table};
use crate::messages::at;
use sip::message::Message;
use sip::subscription::{
    EventMatch, NotifyOrder, Purpose, StateReading, Subscriber, SubscriberIndication,
};

#[test]
fn a_notify_of_another_dialog_is_not_mine() {
    let mut table = Table::sound().subscribed();
    let other_tag = Notify {
        tag: "zz",
        ..ACTIVE
    };
    assert_eq!(table.notify(&other_tag), None);
    let foreign = Table::with(|policy| policy.expires = 1).subscribed();
    let mut idle = Table::sound();
    let notify = foreign.clone().text_of(&ACTIVE);
    assert_eq!(idle.deliver(&notify), None);
    table.terminate("terminated;reason=deactivated");
    let call_id = table.initials()[0].call_id.clone();
    let late = table.text_of(&ACTIVE);
    let late = String::from_utf8(late.wire().to_vec()).unwrap();
    let late = late.replace(&table.last().call_id, &call_id);
    let late = Message::parse(late.into()).unwrap();
    assert_eq!(table.deliver(&late), None, "late, from the old dialog");
}

#[test]
fn of_forked_notifies_the_first_wins() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let one = Notify {
        tag: "one",
        ..ACTIVE
    };
    let two = Notify {
        tag: "two",
        ..ACTIVE
    };
    assert_eq!(table.notify(&one), Some(200));
    assert_eq!(table.notify(&two), None);
    assert_eq!(table.notify(&one), Some(200));
}

#[test]
fn event_is_compared_byte_by_byte_and_other_parameters_do_not_count() {
    for (event, exact, ignoring_case) in [
        (EVENT, 200, 200),
        ("as-feature-event;param=x", 200, 200),
        ("As-Feature-Event", 489, 200),
        ("as-feature-event;id=7", 489, 489),
        ("presence", 489, 489),
        ("", 489, 489),
    ] {
        let notify = Notify { event, ..ACTIVE };
        let mut table = Table::sound().subscribed();
        assert_eq!(table.notify(&notify), Some(exact), "{event}");
        let mut table =
            Table::with(|policy| policy.event_match = EventMatch::IgnoreCase).subscribed();
        assert_eq!(table.notify(&notify), Some(ignoring_case), "{event}");
        let mut table = Table::with(|policy| policy.event_match = EventMatch::Any).subscribed();
        assert_eq!(table.notify(&notify), Some(200), "{event}");
    }
}

#[test]
fn a_lower_number_is_refused_and_shows_nothing() {
    let stale = Notify {
        cseq: Some(100),
        body: "<old/>",
        ..ACTIVE
    };
    let mut table = Table::sound().subscribed();
    table.told.clear();
    assert_eq!(table.notify(&stale), Some(500));
    assert_eq!(table.told, []);
    let ahead = Notify {
        cseq: Some(9000),
        ..ACTIVE
    };
    assert_eq!(table.notify(&ahead), Some(200), "gaps are fine");
    let lax = NotifyOrder::AcceptLower;
    let mut table = Table::with(|policy| policy.notify_order = lax).subscribed();
    assert_eq!(table.notify(&stale), Some(200));
}

#[test]
fn a_refused_notify_is_followed_by_a_look_at_the_state() {
    let stale = Notify {
        cseq: Some(1),
        ..ACTIVE
    };
    let mut table = Table::sound().subscribed();
    table.until(10);
    table.notify(&stale);
    table.until(39);
    assert_eq!(table.sent.len(), 1);
    table.until(40);
    assert_eq!(table.last().purpose, Purpose::Refresh);
    assert_eq!(table.last().body, None);
}

#[test]
fn an_odd_subscription_state_is_survived() {
    for state in ["", "active, 3599", "active;expires=soon", "waiting"] {
        let odd = Notify { state, ..ACTIVE };
        let mut table = Table::sound().subscribed();
        assert_eq!(table.notify(&odd), Some(200), "{state:?}");
        assert!(table.subscriber.is_active());
        assert_eq!(table.deadline, Some(at(1_440_000)));
        let mut table =
            Table::with(|policy| policy.state_reading = StateReading::Strict).subscribed();
        let code = if state == "waiting" { 200 } else { 400 };
        assert_eq!(table.notify(&odd), Some(code), "{state:?}");
        assert_eq!(table.notify(&ACTIVE), Some(200));
    }
}

#[test]
fn a_pending_subscription_shows_no_state() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(200, &[]);
    table.notify(&Notify {
        state: "pending;expires=600",
        body: "<state/>",
        ..ACTIVE
    });
    let pending = SubscriberIndication::Pending { until: at(600_000) };
    assert_eq!(table.told.last(), Some(&pending));
}

#[test]
fn a_content_type_that_is_not_understood_is_refused_with_415() {
    let accept = vec!["application/x-as-feature-event+xml".to_owned()];
    let mut table = Table::with(|policy| policy.accept = accept).subscribed();
    for (content_type, body, code) in [
        ("application/x-as-feature-event+xml", "<a/>", 200),
        ("Application/X-AS-Feature-Event+XML;charset=x", "<a/>", 200),
        ("text/plain", "<a/>", 415),
        ("text/plain", "", 200),
    ] {
        let notify = Notify {
            content_type,
            body,
            ..ACTIVE
        };
        assert_eq!(table.notify(&notify), Some(code), "{content_type}");
    }
}
