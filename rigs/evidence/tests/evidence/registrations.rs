//! REG-01, REG-02, REG-03, REG-05.

use crate::stage::{ANNA, Ask, BEN, Stage, dnd, set_dnd};
use evidence::monitor::Judgement;
use evidence::record::PowerChange;
use evidence::record::Service::DoNotDisturb;

#[test]
fn registers_that_count_up_and_come_in_time_are_right() {
    let mut stage = Stage::synced();
    stage.wait(1_700_000);
    stage.refresh();
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(30).full_state("1001", &[]);
    stage.wait(500);
    stage.register_numbered("1001", 2, 3600);
    stage.keeps(&["REG-01", "REG-02", "REG-05"]);
}

#[test]
fn a_new_call_id_without_a_restart_is_found() {
    let mut stage = Stage::registered();
    stage.subscribe_and_state("1001", 1800, &[]);
    stage.wait(1_000_000);
    stage.request(&Ask {
        call: "other",
        ..Ask::register("1001", 2)
    });
    stage.breaks(&["REG-01"]);
}

#[test]
fn a_cseq_that_does_not_rise_by_one_is_found() {
    let mut stage = Stage::registered();
    stage.subscribe_and_state("1001", 1800, &[]);
    stage.wait(1_000_000);
    stage.register_numbered("1001", 5, 3600);
    stage.breaks(&["REG-01"]);
}

#[test]
fn a_registration_that_runs_out_is_found() {
    let mut stage = Stage::registered();
    stage.subscribe_and_state("1001", 7200, &[]);
    stage.wait(3_600_000);
    stage.breaks(&["REG-01"]);
}

#[test]
fn a_restart_allows_a_new_call_id() {
    let mut stage = Stage::synced();
    stage.power(PowerChange::Off);
    stage.wait(4_000_000);
    stage.power(PowerChange::On);
    stage.provision(&[(ANNA, "1001", Some(true)), (BEN, "1002", Some(true))]);
    stage.request(&Ask {
        call: "reg2",
        ..Ask::register("1001", 1)
    });
    stage
        .wait(30)
        .answer(200, &["Contact: <sip:1001@127.0.0.1:5060>;expires=3600"]);
    stage.wait(100);
    stage.request(&Ask {
        call: "sub2",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.keeps(&["REG-01", "REG-02"]);
}

#[test]
fn to_must_carry_the_account_too() {
    let mut stage = Stage::provisioned();
    stage.request(&Ask {
        to: "1002",
        ..Ask::register("1001", 1)
    });
    stage.breaks(&["REG-01"]);
}

#[test]
fn a_subscribe_before_the_registration_is_found() {
    let mut stage = Stage::provisioned();
    stage.request(&Ask::subscribe("1001", 1));
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&["REG-02"]);
}

#[test]
fn no_subscribe_within_ten_seconds_is_found() {
    let mut stage = Stage::registered();
    stage.wait(11_000);
    stage.breaks(&["REG-02"]);
    assert_eq!(
        Stage::registered().judgement("REG-02"),
        Judgement::NotExercised
    );
}

#[test]
fn an_account_switched_off_is_left_alone() {
    let mut stage = Stage::bare();
    stage.provision(&[(ANNA, "1001", Some(false)), (BEN, "1002", None)]);
    stage.register("1001", 3600);
    stage.wait(20_000);
    stage.request_change(ANNA, DoNotDisturb, true, None, None);
    stage.wait(4_000).idle(ANNA, &["Do Not Disturb"]);
    stage.keeps(&["REG-03"]);
    assert_eq!(stage.judgement("REG-02"), Judgement::NotExercised);
}

#[test]
fn a_subscribe_of_an_account_switched_off_is_found() {
    let mut stage = Stage::bare();
    stage.provision(&[(ANNA, "1001", None)]);
    stage.register("1001", 3600);
    stage.request(&Ask::subscribe("1001", 1));
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&["REG-03"]);
}

#[test]
fn a_local_change_that_tells_the_server_or_does_nothing_is_found() {
    let mut stage = Stage::bare();
    stage.provision(&[(ANNA, "1001", Some(false))]);
    stage.register("1001", 3600);
    stage.wait(20_000);
    stage.request_change(ANNA, DoNotDisturb, true, None, None);
    stage.wait(100);
    stage.request(&Ask {
        method: "INVITE",
        uri: "sip:*78@as.example",
        call: "call",
        event: "",
        expires: "",
        ..Ask::subscribe("1001", 1)
    });
    stage.breaks(&["REG-03"]);

    let mut stage = Stage::bare();
    stage.provision(&[(ANNA, "1001", Some(false))]);
    stage.register("1001", 3600);
    stage.request_change(ANNA, DoNotDisturb, true, None, None);
    stage.wait(4_000).idle(ANNA, &[]);
    stage.breaks(&["REG-03"]);
}

#[test]
fn a_dialled_call_of_an_account_switched_off_is_the_users_own() {
    let mut stage = Stage::bare();
    stage.provision(&[(ANNA, "1001", Some(false))]);
    stage.register("1001", 3600);
    stage.request_change(ANNA, DoNotDisturb, true, None, None);
    stage.wait(1_000).key(ANNA, "talk");
    stage.request(&Ask {
        method: "INVITE",
        uri: "sip:*78@as.example",
        call: "call",
        event: "",
        expires: "",
        ..Ask::subscribe("1001", 1)
    });
    stage.keeps(&["REG-03"]);
}

#[test]
fn a_subscribe_for_somebody_else_is_found() {
    let mut stage = Stage::registered();
    stage.request(&Ask {
        uri: "sip:1002@as.example",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&["REG-05"]);

    let mut stage = Stage::registered();
    stage.request(&Ask {
        extra: &["Authorization: Digest username=\"1002\", realm=\"r\", nonce=\"n\", nc=00000001"],
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&["REG-05"]);
}

#[test]
fn two_subscriptions_of_one_account_are_found_when_the_old_one_is_kept() {
    let mut stage = Stage::synced();
    // A confirmed subscription is begun anew: a broken refresh. The old one goes on all the same: two at once.
    stage.wait(10_000);
    stage.request(&Ask {
        call: "second",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(1_000_000);
    stage.refresh();
    stage.breaks(&["REF-01", "REG-05"]);
}

#[test]
fn without_provisioning_the_switch_is_not_judged() {
    let mut stage = Stage::bare();
    stage.register("1001", 3600);
    stage.request(&Ask::subscribe("1001", 1));
    assert!(matches!(
        stage.judgement("REG-03"),
        Judgement::NotJudged { .. }
    ));
    assert!(stage.broken().is_empty());
}

#[test]
fn switching_on_while_running_calls_for_a_subscribe() {
    let run = |subscribes: bool| {
        let mut stage = Stage::bare();
        stage.provision(&[(ANNA, "1001", Some(false))]);
        stage.register("1001", 3600);
        stage.wait(60_000);
        stage.provision(&[(ANNA, "1001", Some(true))]);
        stage.wait(200);
        if subscribes {
            stage.subscribe_and_state("1001", 1800, &[dnd(true)]);
        }
        stage.wait(11_000);
        stage
    };
    run(true).keeps(&["REG-02", "REG-03"]);
    run(false).breaks(&["REG-02"]);
}

#[test]
fn a_change_after_the_switch_went_off_is_found() {
    let mut stage = Stage::synced();
    stage.wait(60_000);
    stage.provision(&[(ANNA, "1001", Some(false)), (BEN, "1002", Some(true))]);
    stage.wait(100);
    let cseq = stage.next();
    stage.request(&Ask {
        to_tag: "as",
        expires: "0",
        ..Ask::subscribe("1001", cseq)
    });
    stage.wait(30).answer(200, &["Expires: 0"]);
    stage.wait(60_000);
    stage.request_change(ANNA, DoNotDisturb, true, None, None);
    stage.wait(100);
    stage.change(&set_dnd(true));
    assert!(stage.broken().contains("REG-03"));
}

/// Anna's subscription is asked for, and Ben has just registered.
fn ben_follows(answered: bool) -> Stage {
    let mut stage = Stage::registered();
    let start = stage.at;
    stage.request(&Ask::subscribe("1001", 1));
    if answered {
        stage.wait(30).answer(200, &["Expires: 1800"]);
        stage.wait(10).full_state("1001", &[]);
    } else {
        for copy in [
            500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
        ] {
            stage.at = start + copy * 1000;
            stage.again();
        }
    }
    stage.at = start + 40_000_000;
    stage.register("1002", 3600);
    stage
}

fn subscribe_as_anna(stage: &mut Stage) {
    stage.wait(100);
    stage.request(&Ask {
        call: "anew",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
}

#[test]
fn a_subscription_that_is_begun_anew_is_not_somebody_elses() {
    let mut stage = ben_follows(false);
    subscribe_as_anna(&mut stage);
    stage.breaks(&[]);

    let mut stage = ben_follows(true);
    stage.provision(&[(ANNA, "1001", Some(true)), (BEN, "1002", Some(true))]);
    subscribe_as_anna(&mut stage);
    stage.breaks(&[]);

    // Nothing has happened to Anna's: it is Ben's with the wrong identity.
    let mut stage = ben_follows(true);
    subscribe_as_anna(&mut stage);
    stage.breaks(&["REG-05"]);
}

#[test]
fn registrations_that_run_out_together_are_all_found() {
    let mut stage = Stage::registered();
    stage.request(&Ask::subscribe("1001", 1));
    stage.wait(30).answer(489, &[]);
    stage.register("1002", 3600);
    stage.request(&Ask::subscribe("1002", 1));
    stage.wait(30).answer(200, &["Expires: 7200"]);
    stage.wait(10).full_state("1002", &[]);
    stage.wait(3_620_000).breaks(&["FAIL-03", "REG-01"]);
}

#[test]
fn what_a_base_does_before_its_console_is_back_counts() {
    let mut stage = Stage::synced();
    stage.power(PowerChange::Rebooting);
    stage.wait(30_000);
    stage.provision(&[(ANNA, "1001", Some(true)), (BEN, "1002", Some(true))]);
    stage.request(&Ask {
        call: "reg2",
        ..Ask::register("1001", 1)
    });
    stage
        .wait(30)
        .answer(200, &["Contact: <sip:1001@127.0.0.1:5060>;expires=3600"]);
    stage.wait(100);
    stage.power(PowerChange::On);
    stage.wait(100);
    stage.request(&Ask {
        call: "sub2",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.keeps(&["REG-01", "REG-02"]);
}
