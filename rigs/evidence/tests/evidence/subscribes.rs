//! SUB-01 to SUB-05, SUB-08.

use crate::stage::{ACTIVE, ANNA, Ask, BEN, EVENT, Stage, TYPE, dnd, set_dnd};
use evidence::monitor::Judgement;

/// When the copies of an unanswered request leave, in milliseconds after the first.
const COPIES: [u64; 10] = [
    500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
];

#[test]
fn a_well_formed_subscribe_is_right() {
    Stage::synced().keeps(&["SUB-01", "SUB-02", "SUB-03"]);
}

#[test]
fn malformed_subscribes_are_found() {
    let asks: [Ask<'_>; 6] = [
        Ask {
            event: "Event: As-Feature-Event",
            ..Ask::subscribe("1001", 1)
        },
        Ask {
            event: "Event: as-feature-event;id=1",
            ..Ask::subscribe("1001", 1)
        },
        Ask {
            event: "Event: as-feature-event\nEvent: as-feature-event",
            ..Ask::subscribe("1001", 1)
        },
        Ask {
            event: "Accept: application/x-as-feature-event+xml",
            ..Ask::subscribe("1001", 1)
        },
        Ask {
            to_tag: "made-up",
            uri: "sip:1001@as.example",
            ..Ask::subscribe("1001", 1)
        },
        Ask {
            call: "reg",
            ..Ask::subscribe("1001", 1)
        },
    ];
    for ask in asks {
        let mut stage = Stage::registered();
        stage.request(&ask);
        stage.wait(30).answer(200, &["Expires: 1800"]);
        stage.breaks(&["SUB-01"]);
    }
}

#[test]
fn a_compact_event_is_as_good() {
    let mut stage = Stage::registered();
    stage.request(&Ask {
        event: "o: as-feature-event",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.keeps(&["SUB-01"]);
}

#[test]
fn a_subscribe_without_contact_is_found() {
    let mut stage = Stage::registered();
    let text = Ask::subscribe("1001", 1).text();
    let text: Vec<&str> = text
        .split('\n')
        .filter(|line| !line.starts_with("Contact"))
        .collect();
    stage.sends(&text.join("\n"));
    assert!(stage.broken().contains("SUB-01"));
}

#[test]
fn other_packages_are_nobodys_business() {
    let mut stage = Stage::registered();
    stage.request(&Ask {
        call: "mwi",
        event: "Event: message-summary",
        expires: "",
        ..Ask::subscribe("1001", 1)
    });
    stage.breaks(&[]);
    assert_eq!(stage.judgement("SUB-01"), Judgement::NotExercised);
}

#[test]
fn expires_is_the_configured_timer() {
    for expires in ["", "3600"] {
        let mut stage = Stage::registered();
        stage.request(&Ask {
            expires,
            ..Ask::subscribe("1001", 1)
        });
        stage.wait(30).answer(200, &["Expires: 1800"]);
        stage.breaks(&["SUB-02"]);
    }
    let mut stage = Stage::registered();
    stage.request(&Ask::subscribe("1001", 1));
    stage.wait(30).answer(423, &["Min-Expires: 3600"]);
    stage.wait(30);
    stage.request(&Ask {
        expires: "3600",
        ..Ask::subscribe("1001", 2)
    });
    stage.wait(30).answer(200, &["Expires: 3600"]);
    stage.keeps(&["SUB-02"]);
}

#[test]
fn bodies_that_nobody_asked_for_are_found() {
    let mut stage = Stage::registered();
    stage.request(&Ask {
        body: &set_dnd(false),
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&["SUB-03"]);

    let mut stage = Stage::synced();
    stage.wait(1_000_000);
    stage.change(&set_dnd(false));
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&["SUB-03"]);

    let mut stage = Stage::registered();
    stage.request(&Ask {
        extra: &["Content-Type: text/plain"],
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&["SUB-03"]);
}

#[test]
fn an_unanswered_subscribe_is_repeated_by_the_book() {
    let mut stage = Stage::registered();
    let start = stage.at;
    stage.request(&Ask::subscribe("1001", 1));
    for copy in COPIES {
        stage.at = start + copy * 1000;
        stage.again();
    }
    stage.at = start + 40_000_000;
    stage.keeps(&["SUB-04"]);
}

/// A base whose profile claims a T1 of a second: Timer E runs from there to T2, and Timer F ends it after 64 s.
#[test]
fn a_claimed_t1_is_the_one_that_repeats_are_judged_by() {
    let mut by_the_claim = vec![1_000, 3_000];
    by_the_claim.extend((7_000..64_000).step_by(4_000));
    let cases = [
        (by_the_claim.clone(), true),
        (COPIES.to_vec(), false),
        (
            by_the_claim.iter().copied().chain([67_000]).collect(),
            false,
        ),
    ];
    for (schedule, right) in cases {
        let mut stage = Stage::registered();
        stage.claim("sip.t1-milliseconds", "1000");
        let start = stage.at;
        stage.request(&Ask::subscribe("1001", 1));
        for copy in &schedule {
            stage.at = start + copy * 1000;
            stage.again();
        }
        stage.at = start + 80_000_000;
        if right {
            stage.keeps(&["SUB-04"]);
        } else {
            stage.breaks(&["SUB-04"]);
        }
    }
}

#[test]
fn wrong_repeats_are_found() {
    let schedules: [&[u64]; 4] = [
        &[],
        &[500],
        &[500, 1000],
        &[
            500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 35_500,
        ],
    ];
    for schedule in schedules {
        let mut stage = Stage::registered();
        let start = stage.at;
        stage.request(&Ask::subscribe("1001", 1));
        for copy in schedule {
            stage.at = start + copy * 1000;
            stage.again();
        }
        stage.at = start + 40_000_000;
        stage.breaks(&["SUB-04"]);
    }
}

#[test]
fn a_copy_with_another_branch_or_over_tcp_is_found() {
    let mut stage = Stage::registered();
    let ask = Ask::subscribe("1001", 1);
    stage.request(&ask);
    stage
        .wait(500)
        .sends(&ask.text().replace("branch=z9hG4bK", "branch=z9hG4bKother"));
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&["SUB-04"]);

    let mut stage = Stage::registered();
    stage.transport = "TCP";
    stage.request(&ask);
    stage.wait(500).again();
    stage.breaks(&["SUB-04"]);

    let mut stage = Stage::registered();
    stage.transport = "TCP";
    stage.request(&ask);
    stage.wait(40_000).keeps(&["SUB-04"]);
}

#[test]
fn a_lost_answer_is_no_fault_of_the_base() {
    let mut stage = Stage::registered();
    stage.request(&Ask::subscribe("1001", 1));
    stage.wait(500).again();
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(30).full_state("1001", &[]);
    stage.wait(60_000).keeps(&["SUB-04"]);
}

fn accepted() -> Stage {
    let mut stage = Stage::registered();
    stage.request(&Ask::subscribe("1001", 1));
    stage.next();
    stage.wait(30).answer(202, &["Expires: 1800"]);
    stage.wait(30);
    stage
}

#[test]
fn a_202_is_as_good_as_a_200() {
    let mut stage = accepted();
    stage.full_state("1001", &[dnd(true)]);
    stage.wait(100).idle(ANNA, &["Do Not Disturb"]);
    stage.wait(120_000).keeps(&["SUB-05"]);
}

#[test]
fn subscribing_again_after_a_202_is_found() {
    let mut stage = accepted();
    stage.request(&Ask {
        call: "again",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(202, &["Expires: 1800"]);
    stage.breaks(&["SUB-05"]);
}

#[test]
fn half_of_the_life_that_a_notify_tells_is_time_to_refresh_after_a_202() {
    for (told, broken) in [("1800", &["REF-01", "SUB-05"][..]), ("600", &[])] {
        let mut stage = accepted();
        let state = format!("Subscription-State: active;expires={told}");
        stage.notify_with("1001", 101, &[EVENT, &state, TYPE], &dnd(false));
        stage.wait(10).reply(200, &[]);
        stage.wait(400_000).refresh();
        stage.breaks(broken);
    }
}

#[test]
fn refusing_the_notify_after_a_202_is_found() {
    let mut stage = accepted();
    stage.notify("1001", &dnd(true));
    stage.wait(10).reply(481, &[]);
    stage.breaks(&["SUB-05"]);
}

/// Switched off while subscribed.
fn switched_off() -> Stage {
    let mut stage = Stage::synced();
    stage.wait(60_000);
    stage.provision(&[(ANNA, "1001", Some(false)), (BEN, "1002", Some(true))]);
    stage.wait(200);
    stage
}

fn unsubscribe(stage: &mut Stage) {
    let cseq = stage.next();
    stage.request(&Ask {
        to_tag: "as",
        expires: "0",
        ..Ask::subscribe("1001", cseq)
    });
    stage.wait(30).answer(200, &["Expires: 0"]);
    stage.wait(30);
}

#[test]
fn taking_leave_and_coming_back_is_right() {
    let mut stage = switched_off();
    unsubscribe(&mut stage);
    let cseq = stage.notified() + 1;
    stage.notify_with(
        "1001",
        cseq,
        &[EVENT, "Subscription-State: terminated;reason=noresource"],
        "",
    );
    stage.wait(10).reply(200, &[]);
    stage.wait(30_000);
    stage.provision(&[(ANNA, "1001", Some(true)), (BEN, "1002", Some(true))]);
    stage.wait(200);
    stage.request(&Ask {
        call: "back",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(20_000).keeps(&["SUB-08"]);
}

#[test]
fn not_taking_leave_is_found() {
    let mut stage = switched_off();
    stage.wait(11_000).breaks(&["SUB-08"]);

    let mut stage = Stage::synced();
    stage.wait(60_000);
    stage.provision(&[(BEN, "1002", Some(true))]);
    stage.wait(11_000).breaks(&["SUB-08"]);
}

#[test]
fn refusing_the_closing_notify_is_found() {
    let mut stage = switched_off();
    unsubscribe(&mut stage);
    let cseq = stage.notified() + 1;
    stage.notify_with(
        "1001",
        cseq,
        &[EVENT, "Subscription-State: terminated;reason=timeout"],
        "",
    );
    stage.wait(10).reply(481, &[]);
    stage.breaks(&["SUB-08"]);
}

#[test]
fn not_coming_back_is_found() {
    let mut stage = switched_off();
    unsubscribe(&mut stage);
    stage.wait(30_000);
    stage.provision(&[(ANNA, "1001", Some(true)), (BEN, "1002", Some(true))]);
    stage.wait(11_000).breaks(&["SUB-08"]);
}

#[test]
fn an_active_notify_that_crosses_the_leave_proves_nothing() {
    let mut stage = switched_off();
    unsubscribe(&mut stage);
    let cseq = stage.notified() + 1;
    stage.notify_with("1001", cseq, &[EVENT, ACTIVE], "");
    stage.wait(10).reply(481, &[]);
    stage.breaks(&[]);
}

#[test]
fn what_the_server_has_ended_needs_no_leave() {
    let mut stage = switched_off();
    stage.wait(1_000);
    let cseq = stage.notified() + 1;
    stage.notify_with(
        "1001",
        cseq,
        &[EVENT, "Subscription-State: terminated;reason=noresource"],
        "",
    );
    stage.wait(10).reply(200, &[]);
    stage.wait(11_000).breaks(&[]);

    // It runs out before the base had to leave.
    for (life, broken) in [(65, &[][..]), (600, &["SUB-08"])] {
        let mut stage = Stage::synced_for(life);
        stage.wait(62_500);
        stage.provision(&[(ANNA, "1001", Some(false)), (BEN, "1002", Some(true))]);
        stage.wait(11_000).breaks(broken);
    }
}
