//! MENU-01 to MENU-03 and what a wrong screen breaks.

use crate::stage::{ANNA, Ask, BEN, Stage, cf, dnd, set_dnd};
use evidence::monitor::Judgement;
use evidence::record::PowerChange;
use evidence::record::Service::DoNotDisturb;

/// DND was switched on at the server, and the base has said 200.
fn told() -> Stage {
    let mut stage = Stage::synced();
    stage.wait(5_000).notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage
}

/// Both handsets are synchronised.
fn both() -> Stage {
    let mut stage = Stage::synced();
    stage.register("1002", 3600);
    stage.request(&Ask::subscribe("1002", 1));
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(10).full_state("1002", &[]);
    stage.wait(50).idle(BEN, &[]);
    stage.wait(5_000);
    stage
}

#[test]
fn menu_and_idle_screen_follow() {
    let mut stage = told();
    stage.wait(100).idle(ANNA, &["Anna", "Do Not Disturb"]);
    stage
        .wait(100)
        .menu(ANNA, "Do Not Disturb", &["Status: On"]);
    stage.keeps(&["MENU-01", "MENU-03", "BODY-01", "BODY-07"]);
}

#[test]
fn a_screen_that_followed_before_the_answer_left_counts() {
    let mut stage = Stage::synced();
    stage.wait(5_000).notify("1001", &dnd(true));
    stage.idle(ANNA, &["Do Not Disturb"]);
    stage.reply(200, &[]);
    stage.keeps(&["MENU-01", "MENU-03"]);
}

#[test]
fn within_three_seconds_a_wrong_screen_proves_nothing() {
    let mut stage = told();
    stage.wait(2_900).idle(ANNA, &[]);
    stage.breaks(&[]);
    assert_eq!(stage.judgement("MENU-03"), Judgement::NotExercised);
}

#[test]
fn a_wrong_menu_is_found() {
    let mut stage = told();
    stage
        .wait(3_100)
        .menu(ANNA, "Do Not Disturb", &["Status: Off"]);
    stage.wait(100).idle(ANNA, &[]);
    stage.breaks(&["MENU-01"]);
}

#[test]
fn a_wrong_idle_screen_is_found_once() {
    let mut stage = told();
    stage
        .wait(100)
        .menu(ANNA, "Do Not Disturb", &["Status: On"]);
    stage.wait(3_100).idle(ANNA, &[]);
    stage.wait(100).idle(ANNA, &[]);
    stage.breaks(&["MENU-03"]);

    let mut stage = told();
    stage.wait(3_100).idle(ANNA, &[]);
    stage.wait(100).idle(ANNA, &[]);
    stage.breaks(&["MENU-03"]);
    let reports = stage.judge();
    let report = reports
        .iter()
        .find(|report| report.requirement.as_str() == "MENU-03")
        .unwrap();
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.assumed_claims.len(), 13);
    assert!(
        report.findings[0]
            .text
            .contains("idle screen of handset 029e74a599 must show Do Not Disturb on")
    );
}

#[test]
fn an_editor_that_the_user_works_on_is_not_judged() {
    let mut stage = told();
    stage
        .wait(5_000)
        .menu(ANNA, "Do Not Disturb", &["Status: On"]);
    stage.key(ANNA, "right");
    stage.menu(ANNA, "Do Not Disturb", &["Status: Off"]);
    stage.breaks(&[]);
}

#[test]
fn an_outstanding_wish_is_not_judged() {
    let mut stage = Stage::synced();
    stage
        .wait(5_000)
        .request_change(ANNA, DoNotDisturb, true, None, None);
    stage.wait(50).change(&set_dnd(true));
    stage.wait(30).idle(ANNA, &["Do Not Disturb"]);
    stage.breaks(&[]);
}

#[test]
fn another_handset_stays_as_it_is() {
    let mut stage = both();
    stage.notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(4_000).idle(BEN, &[]);
    stage.keeps(&["MENU-02"]);

    let mut stage = both();
    stage.notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(100).idle(BEN, &["Do Not Disturb"]);
    stage.breaks(&["MENU-02"]);
}

#[test]
fn a_handset_without_synchronisation_stays_as_it_is() {
    let mut stage = Stage::bare();
    stage.provision(&[(ANNA, "1001", Some(true)), (BEN, "1002", Some(false))]);
    stage.register("1001", 3600);
    stage.idle(BEN, &[]);
    stage.subscribe_and_state("1001", 1800, &[dnd(true)]);
    stage.wait(100).idle(BEN, &["Do Not Disturb"]);
    stage.breaks(&["MENU-02"]);
}

#[test]
fn without_a_live_subscription_nothing_is_owed() {
    let mut stage = told();
    stage.power(PowerChange::On);
    stage.wait(5_000).idle(ANNA, &[]);
    stage.breaks(&[]);
}

#[test]
fn a_new_number_is_owed_too() {
    let mut stage = Stage::synced();
    stage
        .wait(5_000)
        .notify("1001", &cf("Busy", true, "2425", ""));
    stage.wait(10).reply(200, &[]);
    stage.wait(100).idle(ANNA, &["Divert busy: 2425"]);
    stage.keeps(&["MENU-01"]);
    stage.wait(5_000).idle(ANNA, &["Divert busy: 9999"]);
    stage.breaks(&["BODY-01"]);
}
