//! FAIL-03, FAIL-05, FAIL-06.

use crate::stage::{Ask, Stage};
use evidence::monitor::Judgement;

const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=MD5";
const STALE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", stale=true";
const ONE: &str =
    "Authorization: Digest username=\"1001\", realm=\"r\", nonce=\"n1\", nc=00000001, qop=auth";

fn attempt(stage: &mut Stage, number: u32, status: u16) {
    let call = format!("try{number}");
    stage.request(&Ask {
        call: &call,
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(status, &[]);
}

#[test]
fn a_refused_package_is_left_in_peace() {
    for status in [489, 403] {
        let mut stage = Stage::registered();
        attempt(&mut stage, 1, status);
        stage.wait(900_000);
        attempt(&mut stage, 2, status);
        stage.wait(600_000).keeps(&["FAIL-03"]);
        attempt(&mut stage, 3, status);
        stage.breaks(&["FAIL-03"]);
    }
}

#[test]
fn a_refused_package_does_not_touch_the_registration() {
    let mut stage = Stage::registered();
    attempt(&mut stage, 1, 489);
    stage.wait(3_700_000).breaks(&["FAIL-03"]);

    let mut stage = Stage::registered();
    attempt(&mut stage, 1, 489);
    stage.wait(100);
    stage.request(&Ask {
        expires: "0",
        ..Ask::register("1001", 2)
    });
    stage.wait(10_000).breaks(&["FAIL-03"]);
}

/// The initial SUBSCRIBE was challenged.
fn challenged() -> Stage {
    let mut stage = Stage::registered();
    stage.request(&Ask::subscribe("1001", 1));
    stage.next();
    stage.wait(30).answer(401, &[CHALLENGE]);
    stage.wait(10);
    stage
}

fn repeat(stage: &mut Stage, header: &str) {
    let cseq = stage.next();
    stage.request(&Ask {
        extra: &[header],
        ..Ask::subscribe("1001", cseq)
    });
    stage.wait(30);
}

#[test]
fn a_challenge_is_answered() {
    let mut stage = challenged();
    repeat(&mut stage, ONE);
    stage.answer(200, &["Expires: 1800"]);
    stage.wait(30).full_state("1001", &[]);
    stage.wait(5_000).keeps(&["FAIL-05"]);
    assert_eq!(stage.judgement("FAIL-06"), Judgement::NotExercised);
}

#[test]
fn a_challenge_that_is_not_answered_rightly_is_found() {
    challenged().wait(3_000).breaks(&["FAIL-05"]);

    let mut stage = challenged();
    repeat(&mut stage, "Supported: nothing");
    stage.breaks(&["FAIL-05"]);

    let mut stage = challenged();
    stage.next();
    repeat(&mut stage, ONE);
    stage.breaks(&["FAIL-05"]);

    let mut stage = challenged();
    stage.request(&Ask {
        call: "other",
        extra: &[ONE],
        ..Ask::subscribe("1001", 2)
    });
    stage.breaks(&["FAIL-05"]);
}

#[test]
fn a_second_challenge_ends_the_attempt() {
    let refused = || {
        let mut stage = challenged();
        repeat(&mut stage, ONE);
        stage.answer(401, &[&CHALLENGE.replace("n1", "n3")]);
        stage
    };
    let mut stage = refused();
    stage.wait(60_000).keeps(&["FAIL-05"]);
    let mut stage = refused();
    stage.wait(10);
    repeat(&mut stage, &ONE.replace("n1", "n3"));
    stage.breaks(&["FAIL-05"]);
}

/// A refresh with the old nonce was answered stale.
fn stale() -> Stage {
    let mut stage = challenged();
    repeat(&mut stage, ONE);
    stage.answer(200, &["Expires: 1800"]);
    stage.wait(30).full_state("1001", &[]);
    stage.wait(1_000_000);
    let cseq = stage.next();
    stage.request(&Ask {
        to_tag: "as",
        extra: &[&ONE.replace("00000001", "00000002")],
        ..Ask::subscribe("1001", cseq)
    });
    stage.wait(30).answer(401, &[STALE]);
    stage.wait(10);
    stage
}

fn answer_stale(stage: &mut Stage, nonce: &str, count: &str) {
    let cseq = stage.next();
    stage.request(&Ask {
        to_tag: "as",
        extra: &[&ONE.replace("n1", nonce).replace("00000001", count)],
        ..Ask::subscribe("1001", cseq)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(30);
}

#[test]
fn a_new_nonce_is_taken_at_once_and_counted_from_one() {
    let mut stage = stale();
    answer_stale(&mut stage, "n2", "00000001");
    stage.keeps(&["FAIL-06", "FAIL-05"]);

    let mut stage = stale();
    answer_stale(&mut stage, "n2", "00000003");
    stage.breaks(&["FAIL-06"]);

    let mut stage = stale();
    answer_stale(&mut stage, "n1", "00000003");
    stage.breaks(&["FAIL-06"]);

    let mut stage = stale();
    stage.wait(3_000).breaks(&["FAIL-06"]);
}

#[test]
fn a_401_without_a_challenge_is_no_reason_to_hurry() {
    let refused = || {
        let mut stage = Stage::synced();
        stage.wait(1_000_000);
        stage.refresh();
        stage.wait(30).answer(401, &[]);
        stage
    };
    let mut stage = refused();
    stage.wait(31_000);
    stage.refresh();
    stage.keeps(&["FAIL-06"]);

    let mut stage = refused();
    stage.wait(1_000);
    stage.refresh();
    stage.breaks(&["FAIL-06"]);
}

#[test]
fn whatever_has_used_a_nonce_spends_its_count() {
    for (method, event) in [
        ("INVITE", ""),
        ("SUBSCRIBE", "Event: x-broadworks-hoteling"),
    ] {
        for (count, broken) in [("00000002", &[][..]), ("00000001", &[])] {
            let mut stage = stale_after(method, event);
            answer_stale(&mut stage, "n2", count);
            stage.breaks(broken);
        }
    }
    // Nothing has used it.
    let mut stage = stale();
    answer_stale(&mut stage, "n2", "00000002");
    stage.breaks(&["FAIL-06"]);
}

/// As `stale`, after another request has used the new nonce.
fn stale_after(method: &str, event: &str) -> Stage {
    let mut stage = challenged();
    repeat(&mut stage, ONE);
    stage.answer(200, &["Expires: 1800"]);
    stage.wait(30).full_state("1001", &[]);
    stage.wait(1_000_000);
    stage.request(&Ask {
        method,
        uri: "sip:1001@as.example",
        call: "other",
        event,
        extra: &[&ONE.replace("n1", "n2")],
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(30);
    let cseq = stage.next();
    stage.request(&Ask {
        to_tag: "as",
        extra: &[&ONE.replace("00000001", "00000002")],
        ..Ask::subscribe("1001", cseq)
    });
    stage.wait(30).answer(401, &[STALE]);
    stage.wait(10);
    stage
}
