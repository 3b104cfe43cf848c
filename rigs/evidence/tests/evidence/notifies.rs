//! NOT-01 to NOT-06.

use crate::stage::{ACTIVE, ANNA, Ask, EVENT, Stage, TYPE, dnd};
use evidence::monitor::Judgement;
use evidence::record::PowerChange;

/// The NOTIFY has overtaken the answer to the SUBSCRIBE.
fn early() -> Stage {
    let mut stage = Stage::registered();
    stage.request(&Ask::subscribe("1001", 1));
    stage.wait(30).notify("1001", &dnd(true));
    stage.wait(10);
    stage
}

#[test]
fn an_early_notify_counts() {
    let mut stage = early();
    stage.reply(200, &[]);
    stage.wait(50).answer(200, &["Expires: 1800"]);
    stage.wait(100).idle(ANNA, &["Do Not Disturb"]);
    stage.wait(5_000).idle(ANNA, &["Do Not Disturb"]);
    stage.keeps(&["NOT-01", "NOT-02", "MENU-01"]);
}

#[test]
fn refusing_an_early_notify_is_found() {
    let mut stage = early();
    stage.reply(481, &[]);
    stage.wait(50).answer(200, &["Expires: 1800"]);
    stage.breaks(&["NOT-01"]);

    let mut stage = early();
    stage.answer(200, &["Expires: 1800"]);
    stage.wait(5_000).breaks(&["NOT-01"]);
}

#[test]
fn a_prompt_200_is_right() {
    let mut stage = Stage::synced();
    stage.notify("1001", &dnd(true));
    stage.wait(499).reply(200, &[]);
    stage.wait(5_000).keeps(&["NOT-02"]);
}

#[test]
fn a_late_or_bad_or_missing_answer_is_found() {
    let mut stage = Stage::synced();
    stage.notify("1001", &dnd(true));
    stage.wait(900).reply(200, &[]);
    stage.breaks(&["NOT-02"]);

    let mut stage = Stage::synced();
    stage.notify("1001", &dnd(true));
    stage.wait(10).reply(500, &[]);
    stage.breaks(&["NOT-02"]);

    let mut stage = Stage::synced();
    stage.notify("1001", &dnd(true));
    stage.wait(600).breaks(&["NOT-02"]);
}

#[test]
fn a_base_without_power_owes_no_answer() {
    let mut stage = Stage::synced();
    stage.notify("1001", &dnd(true));
    stage.power(PowerChange::Off);
    stage.wait(100).notify("1001", &dnd(false));
    stage.wait(60_000).breaks(&[]);
}

#[test]
fn every_copy_gets_the_same_answer() {
    let mut stage = Stage::synced();
    stage.notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(500).notify_again();
    stage.reply(200, &[]);
    stage.wait(5_000).keeps(&["NOT-03"]);
}

#[test]
fn another_or_no_answer_to_a_copy_is_found() {
    for reply in [Some((500, "")), Some((200, "Server: other")), None] {
        let mut stage = Stage::synced();
        stage.notify("1001", &dnd(true));
        stage.wait(10).reply(200, &[]);
        stage.wait(500).notify_again();
        if let Some((status, header)) = reply {
            let headers: &[&str] = if header.is_empty() { &[] } else { &[header] };
            stage.reply(status, headers);
        }
        stage.wait(5_000).breaks(&["NOT-03"]);
    }
}

#[test]
fn an_old_notify_that_comes_again_changes_nothing() {
    let mut stage = Stage::synced();
    stage.notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(5_000).idle(ANNA, &["Do Not Disturb"]);
    stage.notify_again();
    let on = stage.notified();
    stage.reply(200, &[]);
    stage.wait(50).notify("1001", &dnd(false));
    stage.reply(200, &[]);
    stage.wait(4_000).idle(ANNA, &[]);
    stage.notify_with("1001", on, &[EVENT, ACTIVE, TYPE], &dnd(true));
    stage.wait(1).reply(200, &[]);
    stage.wait(4_000);
    let mut wrong = stage;
    wrong.idle(ANNA, &["Do Not Disturb"]);
    wrong.breaks(&["NOT-03"]);
}

#[test]
fn cseq_order_is_kept() {
    let mut stage = Stage::synced();
    let last = stage.notified();
    stage.notify_with("1001", last - 1, &[EVENT, ACTIVE, TYPE], &dnd(true));
    stage.wait(10).reply(500, &[]);
    stage.wait(5_000).idle(ANNA, &[]);
    stage.notify_with("1001", last + 1000, &[EVENT, ACTIVE, TYPE], &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(5_000).idle(ANNA, &["Do Not Disturb"]);
    stage.keeps(&["NOT-04", "MENU-01"]);
}

#[test]
fn breaking_the_cseq_order_is_found() {
    let mut stage = Stage::synced();
    let last = stage.notified();
    stage.notify_with("1001", last - 1, &[EVENT, ACTIVE, TYPE], &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(5_000).idle(ANNA, &["Do Not Disturb"]);
    stage.breaks(&["NOT-04"]);

    let mut stage = Stage::synced();
    let last = stage.notified();
    stage.notify_with("1001", last + 1000, &[EVENT, ACTIVE, TYPE], &dnd(true));
    stage.wait(10).reply(500, &[]);
    stage.breaks(&["NOT-04"]);
}

#[test]
fn an_overtaken_notify_may_be_refused() {
    let mut stage = Stage::registered();
    stage.request(&Ask::subscribe("1001", 1));
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.notify_with("1001", 102, &[EVENT, ACTIVE, TYPE], &dnd(true));
    stage.wait(1).reply(200, &[]);
    stage.notify_with("1001", 101, &[EVENT, ACTIVE, TYPE], &dnd(false));
    stage.wait(1).reply(500, &[]);
    stage.wait(5_000).idle(ANNA, &["Do Not Disturb"]);
    stage.keeps(&["NOT-04", "MENU-01"]);
}

#[test]
fn a_notify_of_no_subscription_gets_481() {
    for (call, tag) in [("unknown", "tag-1001"), ("sub-1001", "other")] {
        for (status, shown, broken) in [
            (481, false, &[][..]),
            (200, false, &["NOT-05"]),
            (481, true, &["NOT-05"]),
        ] {
            let mut stage = Stage::synced();
            stage.wait(1_000);
            stage.notify_in(call, tag, "1001", 500, &[EVENT, ACTIVE, TYPE], &dnd(true));
            stage.wait(10).reply(status, &[]);
            let lines: &[&str] = if shown { &["Do Not Disturb"] } else { &[] };
            stage.wait(5_000).idle(ANNA, lines);
            stage.breaks(broken);
            assert_ne!(stage.judgement("NOT-05"), Judgement::NotExercised);
        }
    }
}

#[test]
fn a_notify_of_no_subscription_needs_an_answer() {
    let mut stage = Stage::synced();
    stage.notify_in(
        "unknown",
        "x",
        "1001",
        500,
        &[EVENT, ACTIVE, TYPE],
        &dnd(true),
    );
    stage.wait(1_000).breaks(&["NOT-05"]);
}

#[test]
fn a_notify_that_comes_while_the_base_starts_needs_no_answer() {
    for (reply, broken) in [(None, &[][..]), (Some(481), &[]), (Some(200), &["NOT-05"])] {
        let mut stage = Stage::synced();
        stage.power(PowerChange::Off);
        stage.power(PowerChange::On);
        stage.notify("1001", &dnd(true));
        if let Some(status) = reply {
            stage.wait(10).reply(status, &[]);
        }
        stage.wait(200).register("1001", 3600);
        stage.wait(2_000).breaks(broken);
    }
}

#[test]
fn events_are_compared_byte_by_byte() {
    let allow: &[&str] = &["Allow-Events: as-feature-event"];
    for event in ["presence", "As-Feature-Event", "as-feature-event;id=7"] {
        let header = format!("Event: {event}");
        let answers = [
            (489, allow, &[][..]),
            (481, &[], &[]),
            (489, &[], &["NOT-06"]),
            (200, &[], &["NOT-06"]),
        ];
        for (status, headers, broken) in answers {
            let mut stage = Stage::synced();
            let cseq = stage.notified() + 1;
            stage.notify_with("1001", cseq, &[&header, ACTIVE, TYPE], &dnd(true));
            stage.wait(10).reply(status, headers);
            stage.wait(5_000).idle(ANNA, &[]);
            stage.breaks(broken);
        }
    }
}

#[test]
fn other_parameters_of_event_do_not_matter() {
    for (status, shown, broken) in [
        (200, true, &[][..]),
        (489, false, &["NOT-06"]),
        (200, false, &["NOT-06"]),
    ] {
        let mut stage = Stage::synced();
        let cseq = stage.notified() + 1;
        stage.notify_with(
            "1001",
            cseq,
            &["Event: as-feature-event;param=x", ACTIVE, TYPE],
            &dnd(true),
        );
        stage
            .wait(10)
            .reply(status, &["Allow-Events: as-feature-event"]);
        let lines: &[&str] = if shown { &["Do Not Disturb"] } else { &[] };
        stage.wait(5_000).idle(ANNA, lines);
        stage.breaks(broken);
    }
}

#[test]
fn check_sync_is_nobodys_business() {
    let mut stage = Stage::synced();
    stage.notify_in(
        "check",
        "",
        "1001",
        1,
        &[
            "Event: check-sync;reboot=false",
            "Subscription-State: active",
        ],
        "",
    );
    stage.wait(10).reply(200, &[]);
    stage.breaks(&[]);
}
