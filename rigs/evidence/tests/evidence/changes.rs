//! CHG-01 to CHG-04, CHG-06, CHG-09.

use crate::stage::{ANNA, Ask, Stage, cf, dnd, set_cf, set_dnd};
use evidence::log::Stamp;
use evidence::record::Service::{
    CallForwardingAlways, CallForwardingBusy, CallForwardingNoAnswer, DoNotDisturb,
};

/// Anna has just asked for DND.
fn requested() -> Stage {
    let mut stage = Stage::synced();
    stage
        .wait(5_000)
        .request_change(ANNA, DoNotDisturb, true, None, None);
    stage.wait(50);
    stage
}

/// The server grants the change and notifies this.
fn confirm(stage: &mut Stage, document: &str) {
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(20).notify("1001", document);
    stage.wait(10).reply(200, &[]);
}

#[test]
fn one_wish_is_one_subscribe() {
    let mut stage = requested();
    stage.change(&set_dnd(true));
    confirm(&mut stage, &dnd(true));
    stage.wait(100).idle(ANNA, &["Do Not Disturb"]);
    stage
        .wait(60_000)
        .keeps(&["CHG-01", "CHG-02", "CHG-06", "CHG-09", "MENU-01"]);
}

#[test]
fn the_repeat_with_credentials_is_the_same_change() {
    let mut stage = requested();
    stage.change(&set_dnd(true));
    stage.wait(30).answer(
        401,
        &["WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\""],
    );
    stage.wait(10);
    let cseq = stage.next();
    stage.request(&Ask {
        to_tag: "as",
        body: &set_dnd(true),
        extra: &["Authorization: Digest username=\"1001\", realm=\"r\", nonce=\"n1\", nc=00000001, qop=auth"],
        ..Ask::subscribe("1001", cseq)
    });
    confirm(&mut stage, &dnd(true));
    stage.wait(5_000).keeps(&["CHG-01", "CHG-02", "FAIL-05"]);
}

#[test]
fn a_wish_that_is_not_sent_is_found() {
    requested().wait(2_100).breaks(&["CHG-01"]);
}

#[test]
fn a_change_sent_twice_is_found() {
    let mut stage = requested();
    stage.change(&set_dnd(true));
    stage.wait(10);
    stage.change(&set_dnd(true));
    stage.breaks(&["CHG-01"]);
}

#[test]
fn a_change_outside_the_subscription_is_found() {
    let mut stage = requested();
    stage.request(&Ask {
        call: "other",
        body: &set_dnd(true),
        ..Ask::subscribe("1001", 1)
    });
    let broken = stage.broken();
    assert!(broken.contains("CHG-01"), "{broken:?}");

    let mut stage = requested();
    stage.request(&Ask {
        to_tag: "wrong",
        body: &set_dnd(true),
        ..Ask::subscribe("1001", 2)
    });
    stage.breaks(&["CHG-01"]);

    let mut stage = requested();
    stage.request(&Ask {
        to_tag: "as",
        body: &set_dnd(true),
        ..Ask::subscribe("1001", 7)
    });
    stage.breaks(&["CHG-01"]);
}

#[test]
fn a_wish_during_a_refresh_may_wait() {
    let mut stage = Stage::synced();
    stage.wait(1_000_000);
    stage.refresh();
    stage
        .wait(10)
        .request_change(ANNA, DoNotDisturb, true, None, None);
    stage.wait(5_000).answer(200, &["Expires: 1800"]);
    stage.breaks(&["SUB-04"]);
}

#[test]
fn wrong_documents_of_dnd_are_found() {
    let right = set_dnd(true);
    let documents = [
        set_dnd(false),
        right.replace("true", "yes"),
        right.replace("ed3", "ed4"),
        right.replace("</SetDoNotDisturb>", ""),
        right.replace("doNotDisturbOn", "doNotDisturb"),
        set_cf("Immediate", true, "1", ""),
    ];
    for document in documents {
        let mut stage = requested();
        stage.change(&document);
        stage.breaks(&["CHG-02"]);
    }
    let mut stage = requested();
    let cseq = stage.next();
    stage.request(&Ask {
        to_tag: "as",
        body: &right,
        extra: &["Content-Type: application/xml"],
        ..Ask::subscribe("1001", cseq)
    });
    stage.breaks(&["CHG-02"]);
}

#[test]
fn forwarding_documents_carry_everything() {
    let mut stage = Stage::synced();
    stage
        .wait(5_000)
        .request_change(ANNA, CallForwardingAlways, true, Some("2424"), None);
    stage
        .wait(50)
        .change(&set_cf("Immediate", true, "2424", ""));
    confirm(&mut stage, &cf("Immediate", true, "2424", ""));
    stage.wait(5_000).idle(ANNA, &["Divert all: 2424"]);
    stage.keeps(&["CHG-03", "CHG-01"]);
}

#[test]
fn wrong_documents_of_forwarding_are_found() {
    let right = set_cf("Busy", true, "2424", "");
    let documents = [
        set_cf("Busy", true, "2425", ""),
        set_cf("Busy", false, "2424", ""),
        set_cf("Immediate", true, "2424", ""),
        right.replace("<device>1001</device>", ""),
        right.replace("<forwardDN>2424</forwardDN>", ""),
        right.replace("<activateForward>true</activateForward>", ""),
        right.replace("<forwardDN>", "<forwardDN>1</forwardDN><forwardDN>"),
    ];
    for document in documents {
        let mut stage = Stage::synced();
        stage
            .wait(5_000)
            .request_change(ANNA, CallForwardingBusy, true, Some("2424"), None);
        stage.wait(50).change(&document);
        stage.breaks(&["CHG-03"]);
    }
}

#[test]
fn rings_go_with_forwarding_on_no_answer() {
    for (rings, broken) in [
        ("4", &[][..]),
        ("", &["CHG-04"]),
        ("0", &["CHG-04"]),
        ("5", &["CHG-04"]),
        ("101", &["CHG-04"]),
    ] {
        let mut stage = Stage::synced();
        stage
            .wait(5_000)
            .request_change(ANNA, CallForwardingNoAnswer, true, Some("2426"), Some(4));
        stage.wait(50).change(&set_cf("NoAns", true, "2426", rings));
        stage.breaks(broken);
    }
}

#[test]
fn the_server_has_the_last_word() {
    let contradicted = || {
        let mut stage = requested();
        stage.change(&set_dnd(true));
        confirm(&mut stage, &dnd(false));
        stage.wait(4_000);
        stage
    };
    let mut stage = contradicted();
    stage.idle(ANNA, &[]);
    stage.keeps(&["CHG-06"]);

    let mut stage = contradicted();
    stage.idle(ANNA, &["Do Not Disturb"]);
    stage.breaks(&["CHG-06"]);

    let mut stage = contradicted();
    stage.change(&set_dnd(true));
    stage.breaks(&["CHG-06"]);
}

#[test]
fn the_confirmation_may_come_before_the_200() {
    let mut stage = requested();
    stage.change(&set_dnd(true));
    stage.wait(20).notify("1001", &dnd(true));
    stage.wait(1).idle(ANNA, &["Do Not Disturb"]);
    stage.wait(10).reply(200, &[]);
    stage.wait(50).answer(200, &["Expires: 1800"]);
    stage.keeps(&["CHG-06", "NOT-01", "MENU-01"]);
}

#[test]
fn the_old_state_before_the_new_one_ends_in_the_new_one() {
    let mut stage = requested();
    stage.change(&set_dnd(true));
    confirm(&mut stage, &dnd(false));
    stage.wait(50).notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(4_000).idle(ANNA, &["Do Not Disturb"]);
    stage.keeps(&["CHG-06"]);
}

#[test]
fn an_echo_of_a_notify_is_found() {
    let mut stage = Stage::synced();
    stage.wait(60_000).notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(1_000);
    stage.change(&set_dnd(true));
    stage.breaks(&["CHG-09"]);
}

#[test]
fn a_captured_log_does_not_blame_changes_on_the_base() {
    let mut stage = Stage::synced();
    stage.wait(5_000).change(&set_dnd(true));
    let mut log = evidence::log::Log::new();
    for record in stage.log.records() {
        if matches!(record.observation, evidence::record::Observation::Sip(_)) {
            log.append(Stamp::of(record), record.observation.clone());
        }
    }
    stage.log = log;
    stage.breaks(&[]);
}

#[test]
fn a_change_is_sent_again_after_a_failure() {
    let mut stage = requested();
    stage.change(&set_dnd(true));
    stage.wait(30).answer(481, &[]);
    stage.wait(1_000);
    stage.request(&Ask {
        call: "anew",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&[]);
}

#[test]
fn a_change_may_go_to_the_next_server_with_its_cseq() {
    for (second, broken) in [("127.0.0.3:5060", &[][..]), ("127.0.0.2:5060", &["CHG-01"])] {
        let mut stage = requested();
        stage.change(&set_dnd(true));
        stage.wait(30).answer(503, &[]);
        stage.wait(30);
        stage.again_to(second);
        stage.breaks(broken);
    }
}
