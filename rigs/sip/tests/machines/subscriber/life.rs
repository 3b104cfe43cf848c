//! How a subscription begins, goes on and is given up.

use super::{ACTIVE, AOR, EVENT, Notify, Table};
use crate::messages::{at, seconds};
use sip::subscription::{
    ChangeDialog, ChangeFailure, Content, EarlyNotify, EndReason, Lifetime, On202, Purpose,
    RefreshRule, Subscriber, SubscriberIndication, SubscriberOutput, SubscriberPolicy, Unsubscribe,
};
use std::time::Duration;

#[test]
fn the_initial_request_has_its_own_names_and_no_to_tag() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let first = table.last();
    assert_eq!(first.purpose, Purpose::Initial);
    assert_eq!((first.cseq, first.expires), (1, 1800));
    assert_eq!((first.remote_tag.as_ref(), &first.body), (None, &None));
    assert_eq!(first.request_uri, AOR);
    table.act(Subscriber::subscribe);
    assert_eq!(table.sent.len(), 1, "one attempt at a time");
}

#[test]
fn the_notify_makes_the_subscription_and_not_the_2xx() {
    for code in [200, 202] {
        let mut table = Table::sound();
        table.act(Subscriber::subscribe);
        table.answer(code, &[("Expires", "1800")]);
        assert!(!table.subscriber.is_active());
        assert_eq!(table.notify(&ACTIVE), Some(200));
        assert!(table.subscriber.is_active());
        assert_eq!(table.sent.len(), 1);
    }
}

#[test]
fn a_notify_before_the_2xx_makes_the_subscription() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let code = table.notify(&Notify {
        body: "<state/>",
        ..ACTIVE
    });
    assert_eq!(code, Some(200));
    let state = |told: &SubscriberIndication| matches!(told, SubscriberIndication::State { .. });
    assert_eq!(table.told.iter().filter(|told| state(told)).count(), 1);
    table.answer(200, &[("Expires", "1800")]);
    assert!(table.subscriber.is_active());
    table.until(1430);
    assert_eq!(table.sent.len(), 1);
    table.until(1450);
    assert_eq!(table.last().purpose, Purpose::Refresh);
}

#[test]
fn a_subscriber_that_refuses_the_early_notify_does_so_with_the_code_it_was_given() {
    for (refusal, code) in [(481, None), (482, Some(482))] {
        let mut table = Table::with(|policy| policy.early_notify = EarlyNotify::Refuse(refusal));
        table.act(Subscriber::subscribe);
        assert_eq!(table.notify(&ACTIVE), code);
        assert!(!table.subscriber.is_active());
        table.answer(200, &[]);
        assert_eq!(table.notify(&ACTIVE), Some(200));
    }
}

#[test]
fn a_2xx_without_a_notify_is_given_up_by_timer_n_and_tried_again_after_the_floor() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(200, &[("Expires", "10")]);
    table.until(31);
    assert_eq!(table.sent.len(), 1, "no refresh of a dialog that never was");
    table.until(32);
    assert_eq!(table.ends(), [(EndReason::NoNotify, Some(at(62_000)))]);
    table.until(61);
    assert_eq!(table.sent.len(), 1);
    table.until(62);
    let calls = table.initials();
    assert_ne!(calls[0].call_id, calls[1].call_id);
    assert_ne!(calls[0].local_tag, calls[1].local_tag);
}

#[test]
fn a_subscriber_without_timer_n_takes_the_2xx_for_a_subscription() {
    let mut table = Table::with(|policy| policy.timer_n = None);
    table.act(Subscriber::subscribe);
    table.answer(200, &[("Expires", "60")]);
    table.until(48);
    assert_eq!(table.last().purpose, Purpose::Refresh);
}

#[test]
fn in_dialog_requests_follow_the_notify_in_tag_target_route_and_number() {
    let mut table = Table::sound().subscribed();
    table.change("<change/>");
    let (first, change) = (&table.sent[0], &table.sent[1]);
    assert_eq!(change.purpose, Purpose::Change);
    assert_eq!(change.call_id, first.call_id);
    assert_eq!(change.local_tag, first.local_tag);
    assert_eq!(change.remote_tag.as_deref(), Some("as"));
    assert_eq!(change.cseq, 2);
    assert_eq!(change.request_uri, "sip:as@10.0.0.2:5060");
    assert_eq!(change.route, ["<sip:10.0.0.8;lr>"]);
    assert_eq!(change.expires, 1800);
    let body = ("application/xml".to_owned(), "<change/>".into());
    assert_eq!(change.body, Some(body));
}

#[test]
fn changes_go_out_one_at_a_time_in_the_order_of_the_user() {
    let mut table = Table::sound().subscribed();
    for body in ["1", "2", "3"] {
        table.change(body);
    }
    assert_eq!(table.sent.len(), 2);
    table.answer(200, &[]);
    table.answer(500, &[]);
    let bodies: Vec<_> = table.sent[1..]
        .iter()
        .map(|request| request.body.clone().unwrap().1)
        .collect();
    assert_eq!(bodies, ["1", "2", "3"]);
    assert_eq!(table.failed_changes(), [ChangeFailure::Refused(500)]);
}

#[test]
fn a_change_waits_for_the_subscription_and_fails_without_one() {
    let mut table = Table::sound();
    table.change("1");
    assert_eq!(table.failed_changes(), [ChangeFailure::NoSubscription]);
    table.act(Subscriber::subscribe);
    table.change("2");
    table.answer(200, &[]);
    assert_eq!(table.sent.len(), 1);
    table.notify(&ACTIVE);
    assert_eq!(table.last().purpose, Purpose::Change);
    table.terminate("terminated;reason=noresource");
    assert_eq!(table.failed_changes().len(), 2);
    table.answer(200, &[]);
    assert!(table.subscriber.is_idle());
}

#[test]
fn a_challenge_repeats_the_same_request_with_the_next_number() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.act(Subscriber::repeat);
    assert_eq!(table.sent[1].cseq, 2);
    assert_eq!(table.sent[1].call_id, table.sent[0].call_id);
    assert_eq!(table.sent[1].local_tag, table.sent[0].local_tag);
    table.answer(200, &[]);
    table.notify(&ACTIVE);
    table.change("1");
    table.act(Subscriber::repeat);
    assert_eq!(table.last().cseq, 4);
    assert_eq!(table.last().body, table.sent[2].body);
    table.act(Subscriber::repeat);
    assert_eq!(table.last().cseq, 5);
}

#[test]
fn the_granted_time_drives_the_refresh() {
    for (granted, refreshed_at) in [(60, 48), (10, 6), (4, 2), (1800, 1440)] {
        let mut table = Table::sound();
        table.act(Subscriber::subscribe);
        table.answer(200, &[("Expires", &granted.to_string())]);
        table.notify(&Notify {
            state: "active",
            ..ACTIVE
        });
        assert_eq!(table.deadline, Some(at(refreshed_at * 1000)), "{granted}");
    }
}

#[test]
fn the_notify_has_the_better_word_on_the_time_that_is_left() {
    let mut table = Table::sound().subscribed();
    table.until(100);
    table.notify(&Notify {
        state: "active;expires=1700",
        ..ACTIVE
    });
    assert_eq!(table.deadline, Some(at(1_440_000)), "nothing new");
    table.notify(&Notify {
        state: "active;expires=120",
        ..ACTIVE
    });
    assert_eq!(table.deadline, Some(at(196_000)));
}

#[test]
fn a_2xx_may_shorten_and_never_lengthen() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(200, &[("Expires", "999999")]);
    table.notify(&Notify {
        state: "active",
        ..ACTIVE
    });
    assert_eq!(table.deadline, Some(at(1_440_000)));
}

#[test]
fn a_2xx_without_expires_means_what_was_asked_for() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(200, &[]);
    table.notify(&Notify {
        state: "active",
        ..ACTIVE
    });
    table.until(1439);
    assert_eq!(table.sent.len(), 1);
}

#[test]
fn each_refresh_is_followed_by_the_next() {
    let mut table = Table::sound().subscribed();
    for round in 1..=20_u64 {
        table.until(1440 * round);
        assert_eq!(table.sent.len() as u64, round + 1);
        assert_eq!(u64::from(table.last().cseq), round + 1);
        assert_eq!(table.last().body, None);
        table.answer(200, &[("Expires", "1800")]);
        table.notify(&ACTIVE);
    }
    assert_eq!(table.initials().len(), 1);
}

#[test]
fn every_wrong_refresh_is_a_value() {
    let ahead = RefreshRule::Ahead {
        percent: 80,
        margin: seconds(4),
    };
    for (rule, lifetime, refreshed_at) in [
        (ahead, Lifetime::Granted, 48),
        (ahead, Lifetime::Requested, 1440),
        (RefreshRule::AtPercent(20), Lifetime::Granted, 12),
        (RefreshRule::AtPercent(110), Lifetime::Granted, 66),
    ] {
        let mut table = Table::with(|policy| {
            policy.refresh = rule;
            policy.lifetime = lifetime;
        });
        table.act(Subscriber::subscribe);
        table.answer(200, &[("Expires", "60")]);
        table.notify(&Notify {
            state: "active;expires=60",
            ..ACTIVE
        });
        assert_eq!(table.deadline, Some(at(refreshed_at * 1000)), "{rule:?}");
        table.until(refreshed_at);
        assert_eq!(table.last().purpose, Purpose::Refresh, "{rule:?}");
    }
}

#[test]
fn a_subscription_that_is_not_refreshed_expires_and_is_begun_anew() {
    let mut table = Table::with(|policy| policy.refresh = RefreshRule::Never);
    table = table.subscribed();
    table.until(1800);
    assert_eq!(table.ends(), [(EndReason::Expired, Some(at(1_800_000)))]);
    assert_eq!(table.initials().len(), 2);
}

#[test]
fn a_subscription_is_given_up_in_its_dialog_and_its_closing_notify_is_accepted() {
    for reason in ["timeout", "noresource"] {
        let mut table = Table::sound().subscribed();
        table.act(Subscriber::unsubscribe);
        assert_eq!(table.last().purpose, Purpose::Unsubscribe);
        assert_eq!(table.last().expires, 0);
        assert_eq!(table.last().remote_tag.as_deref(), Some("as"));
        table.answer(200, &[("Expires", "0")]);
        let state = format!("terminated;reason={reason}");
        assert_eq!(table.terminate(&state), Some(200));
        assert!(table.subscriber.is_idle());
        table.until(10_000);
        assert_eq!(table.sent.len(), 2);
        table.act(Subscriber::subscribe);
        assert_eq!(table.sent.len(), 3, "{reason} does not block a later one");
    }
}

#[test]
fn the_closing_notify_may_come_before_the_2xx_and_may_fail_to_come() {
    let mut table = Table::sound().subscribed();
    table.act(Subscriber::unsubscribe);
    assert_eq!(table.terminate("terminated;reason=timeout"), Some(200));
    table.act(Subscriber::subscribe);
    assert_eq!(table.sent.len(), 2, "one request outstanding at a time");
    table.answer(200, &[]);
    assert_eq!(table.sent.len(), 3);

    let mut table = Table::sound().subscribed();
    table.act(Subscriber::unsubscribe);
    table.answer(200, &[]);
    table.until(32);
    assert_eq!(table.ends(), [(EndReason::Unsubscribed, None)]);
}

#[test]
fn an_attempt_is_given_up_as_soon_as_it_has_a_dialog() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.act(Subscriber::unsubscribe);
    assert_eq!(table.sent.len(), 1);
    table.answer(200, &[]);
    assert_eq!(table.last().purpose, Purpose::Unsubscribe);

    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.act(Subscriber::unsubscribe);
    table.answer(503, &[]);
    assert!(table.subscriber.is_idle());
}

#[test]
fn a_wish_to_begin_while_ending_is_remembered() {
    let mut table = Table::sound().subscribed();
    table.act(Subscriber::unsubscribe);
    table.act(Subscriber::subscribe);
    table.answer(200, &[]);
    table.terminate("terminated;reason=timeout");
    assert_eq!(table.initials().len(), 2);
}

#[test]
fn ways_not_to_unsubscribe_are_values() {
    let mut table = Table::with(|policy| policy.unsubscribe = Unsubscribe::Silent).subscribed();
    table.act(Subscriber::unsubscribe);
    assert_eq!(table.sent.len(), 1);
    assert!(table.subscriber.is_idle());
    assert_eq!(table.notify(&ACTIVE), None);

    let forget = Unsubscribe::ForgetAtResponse;
    let mut table = Table::with(|policy| policy.unsubscribe = forget).subscribed();
    table.act(Subscriber::unsubscribe);
    table.answer(200, &[]);
    assert_eq!(table.terminate("terminated;reason=timeout"), None);
}

#[test]
fn dropping_the_attempt_at_a_202_is_a_value() {
    let mut table = Table::with(|policy| policy.on_202 = On202::Drop);
    table.act(Subscriber::subscribe);
    table.answer(202, &[]);
    assert_eq!(table.notify(&ACTIVE), None);
    table.until(30);
    assert_eq!(table.initials().len(), 2);
}

#[test]
fn sending_a_change_in_a_new_dialog_is_a_value() {
    let mut table = Table::with(|policy| policy.change_dialog = ChangeDialog::New).subscribed();
    table.change("1");
    let change = table.last();
    assert_ne!(change.call_id, table.sent[0].call_id);
    assert_eq!((change.remote_tag.as_ref(), change.cseq), (None, 1));
    table.answer(200, &[]);
    assert_eq!(table.notify(&ACTIVE), Some(200));
    assert!(table.subscriber.is_active());
}

#[test]
fn an_initial_request_with_a_body_is_a_value() {
    let content = Content {
        content_type: "application/xml".to_owned(),
        body: "<a/>".into(),
    };
    let mut table = Table::with(|policy| policy.initial_content = Some(content));
    table.act(Subscriber::subscribe);
    assert!(table.last().body.is_some());
}

#[test]
fn a_restart_begins_in_a_new_dialog_without_a_word_about_the_old_one() {
    let mut table = Table::sound().subscribed();
    table.change("1");
    table.told.clear();
    table.act(Subscriber::restart);
    assert_eq!(table.last().purpose, Purpose::Initial);
    assert_eq!(table.told, []);
    assert_ne!(table.last().call_id, table.sent[0].call_id);
}

#[test]
fn two_accounts_with_one_seed_draw_different_names_and_a_clone_the_same() {
    let policy = SubscriberPolicy::new(EVENT);
    let mut names = Vec::new();
    for aor in ["sip:anna@example.com", "sip:bert@example.com"] {
        let mut subscriber = Subscriber::new(policy.clone(), aor, 1);
        let mut clone = subscriber.clone();
        for one in [&mut subscriber, &mut clone] {
            one.subscribe(at(0));
            let SubscriberOutput::Send(request) = one.poll_output() else {
                panic!("nothing sent");
            };
            names.push(request.call_id);
        }
    }
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
}

#[test]
fn the_rule_of_the_refresh_keeps_to_its_window() {
    let rule = SubscriberPolicy::new(EVENT).refresh;
    for granted in 4..=7200 {
        let granted = Duration::from_secs(granted);
        let delay = rule.delay(granted).unwrap();
        assert!(delay >= granted / 2 && delay + seconds(2) <= granted);
    }
}
