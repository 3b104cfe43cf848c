//! REF-01 to REF-03.

use crate::stage::{ACTIVE, ANNA, Ask, EVENT, Stage, TYPE, dnd, set_dnd};
use evidence::monitor::Judgement;
use evidence::record::Service::DoNotDisturb;

#[test]
fn refreshes_in_their_window_are_right() {
    let mut stage = Stage::synced_for(600);
    for _ in 0..3 {
        stage.wait(400_000);
        stage.refresh();
        stage.wait(30).answer(200, &["Expires: 600"]);
        stage.wait(30).full_state("1001", &[]);
        stage.wait(100).idle(ANNA, &[]);
    }
    stage.keeps(&["REF-01", "REF-02", "REF-03"]);
}

#[test]
fn a_refresh_too_early_or_too_late_is_found() {
    let mut stage = Stage::synced();
    stage.wait(300_000);
    stage.refresh();
    stage.breaks(&["REF-01"]);

    let mut stage = Stage::synced();
    stage.wait(1_799_500);
    stage.refresh();
    stage.breaks(&["REF-01"]);
}

#[test]
fn no_refresh_at_all_is_found() {
    Stage::synced().wait(1_900_000).breaks(&["REF-01"]);
    Stage::synced_for(120).wait(200_000).breaks(&["REF-02"]);
}

#[test]
fn following_the_requested_life_is_found() {
    let mut stage = Stage::synced_for(600);
    stage.wait(1_000_000);
    stage.refresh();
    stage.breaks(&["REF-02"]);
}

#[test]
fn a_short_life_that_is_only_just_missed_is_a_late_refresh() {
    let mut stage = Stage::synced_for(600);
    stage.wait(599_000);
    stage.refresh();
    stage.breaks(&["REF-01"]);
}

#[test]
fn a_refresh_that_is_lost_was_sent_all_the_same() {
    let mut stage = Stage::synced_for(600);
    stage.wait(400_000);
    let start = stage.at;
    stage.refresh();
    for copy in [
        500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ] {
        stage.at = start + copy * 1000;
        stage.again();
    }
    stage.at = start + 300_000_000;
    stage.breaks(&[]);
}

#[test]
fn a_2xx_without_expires_causes_no_loop() {
    let untold = || {
        let mut stage = Stage::registered();
        stage.request(&Ask::subscribe("1001", 1));
        stage.next();
        stage.wait(30).answer(200, &[]);
        stage.wait(30).full_state("1001", &[]);
        stage
    };
    let mut stage = untold();
    stage.wait(40_000);
    stage.refresh();
    stage.keeps(&["REF-02"]);
    let mut stage = untold();
    stage.wait(5_000);
    stage.refresh();
    stage.breaks(&["REF-02"]);
    // A base that lets half a minute pass has been seen not to loop; one that had no such time has not.
    untold().wait(31_000).keeps(&["REF-02"]);
    let early = untold().wait(20_000).judgement("REF-02");
    assert_eq!(early, Judgement::NotExercised);
}

#[test]
fn a_new_subscription_in_place_of_a_refresh_is_found() {
    let mut stage = Stage::synced();
    stage.wait(1_000_000);
    stage.request(&Ask {
        call: "anew",
        ..Ask::subscribe("1001", 1)
    });
    stage.breaks(&["REF-01"]);
}

#[test]
fn the_life_that_a_notify_tells_counts_too() {
    let mut stage = Stage::registered();
    stage.subscribe_and_state("1001", 8, &[]);
    let told = stage.notified() + 1;
    stage.notify_with(
        "1001",
        told,
        &[EVENT, "Subscription-State: active;expires=7"],
        "",
    );
    stage.wait(10).reply(200, &[]);
    stage.wait(3_500);
    stage.refresh();
    stage.breaks(&[]);
}

#[test]
fn a_new_subscription_may_leave_before_the_answer_to_the_last_notify() {
    let mut stage = Stage::synced();
    let cseq = stage.notified() + 1;
    stage.wait(10_000);
    stage.notify_with(
        "1001",
        cseq,
        &[EVENT, "Subscription-State: terminated;reason=timeout"],
        "",
    );
    stage.request(&Ask {
        call: "anew",
        ..Ask::subscribe("1001", 1)
    });
    stage.reply(200, &[]);
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&[]);
}

#[test]
fn a_terminated_subscription_is_begun_anew() {
    let mut stage = Stage::synced();
    let cseq = stage.notified() + 1;
    stage.wait(10_000);
    stage.notify_with(
        "1001",
        cseq,
        &[EVENT, "Subscription-State: terminated;reason=deactivated"],
        "",
    );
    stage.wait(10).reply(200, &[]);
    stage.wait(100);
    stage.request(&Ask {
        call: "anew",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.keeps(&["NOT-02"]);
}

/// A change that was never notified comes with the refresh.
fn refreshed() -> Stage {
    let mut stage = Stage::synced();
    stage.wait(1_000_000);
    stage.refresh();
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(30).full_state("1001", &[dnd(true)]);
    stage
}

#[test]
fn the_full_state_after_a_refresh_counts() {
    let mut stage = refreshed();
    stage.wait(4_000).idle(ANNA, &["Do Not Disturb"]);
    stage.keeps(&["REF-03"]);

    let mut stage = refreshed();
    stage.wait(4_000).idle(ANNA, &[]);
    stage.breaks(&["REF-03"]);
}

#[test]
fn an_equal_state_causes_no_flicker() {
    let mut stage = Stage::synced();
    stage.wait(1_000_000);
    stage.refresh();
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(30).full_state("1001", &[]);
    stage.wait(100).idle(ANNA, &["Do Not Disturb"]);
    stage.breaks(&["REF-03"]);
}

/// A refresh in time was refused with this status.
fn refused(status: u16) -> Stage {
    let mut stage = Stage::synced_for(600);
    stage.wait(400_000);
    stage.refresh();
    stage.wait(30).answer(status, &[]);
    stage
}

#[test]
fn a_refused_refresh_leaves_it_to_the_base_when_to_begin_anew() {
    for status in [401, 423, 500, 503] {
        let mut stage = refused(status);
        stage.wait(201_000);
        stage.request(&Ask {
            call: "anew",
            ..Ask::subscribe("1001", 1)
        });
        stage.wait(30).answer(200, &["Expires: 600"]);
        stage.breaks(&[]);
    }
    // A change that is refused is no refresh.
    for refreshes in [true, false] {
        let mut stage = Stage::synced_for(600);
        stage.wait(100_000);
        stage.request_change(ANNA, DoNotDisturb, true, None, None);
        stage.wait(50).change(&set_dnd(true));
        stage.wait(30).answer(500, &[]);
        stage.wait(300_000);
        if refreshes {
            stage.refresh();
            stage.wait(30).answer(200, &["Expires: 600"]);
            stage.wait(30).full_state("1001", &[]);
        }
        stage.wait(200_000);
        stage.breaks(if refreshes { &[] } else { &["REF-02"] });
    }
}

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
const CREDENTIALS: &str =
    "Authorization: Digest username=\"1001\", realm=\"r\", nonce=\"n1\", nc=00000001, qop=auth";

/// What is sent within Anna's subscription, and sent once more with credentials after a challenge that comes late.
fn challenged_late(body: &str) -> Stage {
    let mut stage = Stage::synced_for(600);
    stage.wait(597_000);
    if !body.is_empty() {
        stage.request_change(ANNA, DoNotDisturb, true, None, None);
        stage.wait(50);
    }
    for extra in [&[][..], &[CREDENTIALS]] {
        let cseq = stage.next();
        stage.request(&Ask {
            to_tag: "as",
            body,
            extra,
            ..Ask::subscribe("1001", cseq)
        });
        if extra.is_empty() {
            stage.wait(490).answer(401, &[CHALLENGE]);
            stage.wait(1_000);
        }
    }
    stage.wait(30).answer(200, &["Expires: 600"]);
    stage.wait(30).full_state("1001", &[]);
    stage
}

#[test]
fn a_repeat_with_credentials_is_as_prompt_as_its_challenge() {
    challenged_late("").breaks(&[]);
    challenged_late(&set_dnd(true)).breaks(&[]);
}

#[test]
fn a_base_that_has_refused_a_notify_may_check_its_subscription() {
    let cases = [(1, "presence", 489), (0, "as-feature-event", 500)];
    for (number, event, status) in cases {
        for anew in [true, false] {
            let mut stage = Stage::synced();
            stage.wait(10_000);
            let cseq = if number == 0 {
                50
            } else {
                stage.notified() + 1
            };
            let event = format!("Event: {event}");
            stage.notify_with("1001", cseq, &[&event, ACTIVE, TYPE], &dnd(true));
            stage
                .wait(10)
                .reply(status, &["Allow-Events: as-feature-event"]);
            stage.wait(1_000);
            if anew {
                stage.request(&Ask {
                    call: "anew",
                    ..Ask::subscribe("1001", 1)
                });
            } else {
                stage.refresh();
            }
            stage.wait(30).answer(200, &["Expires: 1800"]);
            stage.breaks(&[]);
        }
    }
}

#[test]
fn what_belongs_to_no_subscription_is_no_reason_to_check_one() {
    let mut stage = Stage::synced();
    stage.wait(10_000);
    let stranger = format!(
        "NOTIFY sip:1001@127.0.0.1:5060 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKstranger\n\
         Max-Forwards: 70\nFrom: <sip:1001@as.example>;tag=stranger\nTo: <sip:1001@as.example>;tag=tag-1001\n\
         Call-ID: sub-1001\nCSeq: 900 NOTIFY\nContact: <sip:127.0.0.2:5060>\n{EVENT}\n{ACTIVE}\nContent-Length: 0\n\n"
    );
    stage.gets(&stranger);
    let copied: Vec<&str> = stranger
        .lines()
        .filter(|line| {
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .collect();
    stage.wait(10).sends(&format!(
        "SIP/2.0 481 Reason\n{}\nContent-Length: 0\n\n",
        copied.join("\n")
    ));
    stage.wait(1_000);
    stage.refresh();
    stage.breaks(&["REF-01"]);
}
