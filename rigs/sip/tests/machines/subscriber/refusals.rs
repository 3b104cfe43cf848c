//! What ends a subscription or an attempt, and when the next one follows.

use super::{ACTIVE, Table};
use crate::messages::{at, seconds};
use sip::endpoint::Failure;
use sip::subscription::{
    ChangeFailure, Comeback, EndReason, Purpose, Subscriber, SubscriberIndication,
};

#[test]
fn codes_that_end_a_subscription_lead_to_a_new_dialog_at_once() {
    for code in [
        404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604, 408,
    ] {
        let mut table = Table::sound().subscribed();
        table.change("1");
        table.answer(code, &[]);
        assert_eq!(table.failed_changes(), [ChangeFailure::Refused(code)]);
        let calls = table.initials();
        assert_eq!(calls.len(), 2, "{code}");
        assert_ne!(calls[0].call_id, calls[1].call_id);
        assert_ne!(calls[0].local_tag, calls[1].local_tag);
        assert_eq!(calls[1].body, None, "the change is not sent again");
        assert!(calls[1].route.is_empty(), "no old route");
    }
}

#[test]
fn other_refusals_leave_the_subscription_valid_until_its_expiry() {
    for code in [400, 403, 415, 500, 503, 603] {
        let mut table = Table::sound().subscribed();
        table.until(1440);
        table.answer(code, &[]);
        assert!(table.subscriber.is_active(), "{code}");
        assert_eq!(table.notify(&ACTIVE), Some(200));
        let mut table = Table::sound().subscribed();
        table.until(1440);
        table.answer(code, &[]);
        table.until(1469);
        assert_eq!(table.sent.len(), 2);
        table.until(1470);
        assert_eq!(table.last().purpose, Purpose::Refresh, "after the floor");
    }
    let mut table = Table::sound().subscribed();
    table.until(1440);
    table.answer(503, &[("Retry-After", "3600 (closed)")]);
    table.until(1799);
    assert_eq!(table.sent.len(), 2);
    table.until(1800);
    assert_eq!(table.initials().len(), 2, "a new one once it has expired");
}

#[test]
fn silence_in_the_dialog_ends_it() {
    for failure in [Failure::Timeout('F'), Failure::Transport] {
        let mut table = Table::sound().subscribed();
        table.change("1");
        table.act(|subscriber, now| subscriber.handle_failure(now, failure));
        assert_eq!(table.failed_changes(), [ChangeFailure::Unanswered(failure)]);
        assert_eq!(table.initials().len(), 2);
    }
}

#[test]
fn a_refresh_or_change_without_a_notify_ends_the_subscription_by_timer_n() {
    let mut table = Table::sound().subscribed();
    table.until(100);
    table.change("1");
    table.answer(200, &[("Expires", "1800")]);
    table.until(131);
    assert!(table.failed_changes().is_empty());
    table.until(132);
    assert_eq!(table.failed_changes(), [ChangeFailure::Unconfirmed]);
    assert_eq!(table.ends(), [(EndReason::NoNotify, Some(at(132_000)))]);
    assert_eq!(table.last().purpose, Purpose::Initial);
}

#[test]
fn timer_n_does_not_overtake_timer_f() {
    let mut table = Table::sound().subscribed();
    table.change("1");
    table.until(40);
    assert!(table.ends().is_empty(), "the transaction ends by itself");
}

#[test]
fn each_reason_of_a_terminated_subscription_has_its_row() {
    for (state, retry_second) in [
        ("terminated;reason=deactivated", Some(0)),
        ("terminated;reason=deactivated;retry-after=60", Some(0)),
        ("terminated;reason=timeout", Some(0)),
        ("terminated;reason=probation", Some(30)),
        ("terminated;reason=probation;retry-after=90", Some(90)),
        ("terminated;reason=giveup", Some(30)),
        ("terminated;reason=giveup;retry-after=120", Some(120)),
        ("terminated;reason=rejected", None),
        ("terminated;reason=rejected;retry-after=5", None),
        ("terminated;reason=noresource", None),
        ("terminated;reason=invariant", None),
        ("terminated;reason=whatever", Some(30)),
        ("terminated", Some(30)),
        ("terminated;retry-after=77", Some(77)),
    ] {
        let mut table = Table::sound().subscribed();
        assert_eq!(table.terminate(state), Some(200));
        let retry_at = retry_second.map(|second: u64| at(second * 1000));
        assert_eq!(table.ends()[0].1, retry_at, "{state}");
        if let Some(second) = retry_second.filter(|second| *second > 0) {
            table.until(second - 1);
            assert_eq!(table.initials().len(), 1, "{state}");
        }
        table.until(3600);
        let expected = if retry_second.is_some() { 2 } else { 1 };
        assert!(table.initials().len() >= expected, "{state}");
        assert_eq!(table.subscriber.is_idle(), retry_second.is_none());
    }
}

#[test]
fn a_server_that_ends_every_subscription_at_once_is_asked_once_per_floor() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let mut answered = 0;
    let mut times = Vec::new();
    for second in 0..300 {
        table.until(second);
        while answered < table.sent.len() {
            answered += 1;
            times.push(second);
            table.answer(200, &[]);
            table.terminate("terminated;reason=deactivated");
        }
    }
    for window in times.windows(3) {
        assert!(window[2] - window[0] >= 30, "{times:?}");
    }
    assert!(times.len() >= 9, "{times:?}");
}

#[test]
fn steady_failure_backs_off_up_to_the_ceiling() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let sent_at = table.now;
        table.answer(503, &[]);
        let next = table.deadline.unwrap();
        waits.push(next.since(sent_at).as_secs());
        table.until(next.as_micros() / 1_000_000);
    }
    assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
}

#[test]
fn retry_after_of_a_503_is_waited_for() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(503, &[("Retry-After", "1000")]);
    assert_eq!(table.deadline, Some(at(1_000_000)));
}

#[test]
fn a_package_that_is_refused_is_not_asked_for_again() {
    for code in [489, 403] {
        let mut table = Table::sound();
        table.act(Subscriber::subscribe);
        table.answer(code, &[]);
        let refused = SubscriberIndication::Refused {
            code,
            retry_at: None,
        };
        assert_eq!(table.told, [refused]);
        table.until(100_000);
        assert_eq!(table.sent.len(), 1);
        table.act(Subscriber::subscribe);
        assert_eq!(table.sent.len(), 2, "unless the owner says so");
    }
}

#[test]
fn asking_again_for_a_refused_package_is_a_value() {
    let mut table = Table::with(|policy| policy.retry_refused = Some(seconds(60)));
    table.act(Subscriber::subscribe);
    for round in 1..=10 {
        table.answer(489, &[]);
        table.until(round * 60);
        assert_eq!(table.sent.len() as u64, round + 1);
    }
}

#[test]
fn a_423_is_followed_by_what_it_asks_for_once() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(423, &[("Min-Expires", "3600")]);
    assert_eq!(table.last().expires, 3600);
    assert_eq!(table.last().cseq, 2);
    assert_eq!(table.last().call_id, table.sent[0].call_id);
    table.answer(423, &[("Min-Expires", "3600")]);
    assert_eq!(table.sent.len(), 2, "the same demand again leads nowhere");
    table.until(299);
    assert_eq!(table.sent.len(), 2);
    table.until(300);
    assert_eq!(table.last().expires, 3600, "and is remembered");
}

#[test]
fn a_423_without_min_expires_does_not_loop() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    for _ in 0..10 {
        table.answer(423, &[]);
    }
    table.until(299);
    assert_eq!(table.sent.len(), 1);
}

#[test]
fn a_423_to_a_refresh_is_repeated_in_the_dialog() {
    let mut table = Table::sound().subscribed();
    table.until(1440);
    table.answer(423, &[("Min-Expires", "2000")]);
    assert_eq!(table.last().purpose, Purpose::Refresh);
    assert_eq!((table.last().cseq, table.last().expires), (3, 2000));
}

#[test]
fn a_reason_that_is_read_otherwise_is_a_value() {
    let mut table = Table::with(|policy| {
        let row = ("noresource".to_owned(), Comeback::AtOnce);
        policy.reasons.extend([row]);
    })
    .subscribed();
    table.terminate("terminated;reason=noresource");
    assert_eq!(table.initials().len(), 2);
}

#[test]
fn a_notify_outweighs_a_2xx_that_was_lost() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.notify(&ACTIVE);
    let lost = Failure::Timeout('F');
    table.act(|subscriber, now| subscriber.handle_failure(now, lost));
    assert!(table.subscriber.is_active());
    assert_eq!(table.ends(), []);
    assert_eq!(table.deadline, Some(at(1_440_000)));
}

#[test]
fn a_subscription_that_came_about_ends_the_back_off() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    for wait in [30, 60] {
        table.answer(503, &[]);
        let now = table.now.as_micros() / 1_000_000;
        table.until(now + wait);
    }
    table.answer(200, &[]);
    table.notify(&ACTIVE);
    table.terminate("terminated;reason=giveup");
    assert_eq!(table.deadline, Some(table.now + seconds(30)));
    table.until(130);
    table.answer(200, &[]);
    table.notify(&ACTIVE);
    table.act(Subscriber::refresh);
    table.answer(481, &[]);
    table.answer(503, &[]);
    assert_eq!(table.deadline, Some(table.now + seconds(30)));
}
