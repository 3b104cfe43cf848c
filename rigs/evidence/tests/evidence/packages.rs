//! A second event package beside feature key synchronisation, for the same account: it disturbs no rule.

use crate::stage::{ACTIVE, ANNA, Ask, Stage, dnd, set_dnd};
use evidence::record::Service;

const HOTELING: &str = "Event: x-broadworks-hoteling";

/// A SUBSCRIBE for hoteling, in this Call-ID.
fn hoteling(call: &str, cseq: u32) -> Ask<'_> {
    Ask {
        call,
        event: HOTELING,
        expires: "3600",
        ..Ask::subscribe("1001", cseq)
    }
}

/// The guest's state reaches the base, and is answered.
fn notify(stage: &mut Stage, call: &str, cseq: u32, event: &str, status: u16) {
    let headers = [event, ACTIVE];
    stage.notify_in(
        &format!("{call}-1001"),
        "tag-1001",
        "1001",
        cseq,
        &headers,
        "",
    );
    stage.wait(10).reply(status, &[]);
    stage.wait(10);
}

/// Anna's base holds both packages.
fn both() -> Stage {
    let mut stage = Stage::registered();
    stage.request(&hoteling("hotel", 1));
    stage.wait(20).answer(200, &["Expires: 3600"]);
    stage.wait(20);
    notify(&mut stage, "hotel", 1, HOTELING, 200);
    stage.subscribe_and_state("1001", 1800, &[]);
    stage.wait(100).idle(ANNA, &[]);
    notify(&mut stage, "hotel", 2, HOTELING, 200);
    stage
}

#[test]
fn a_base_that_holds_both_packages_is_not_blamed() {
    let mut stage = both();
    stage.wait(1_000_000).refresh();
    stage.wait(20).answer(200, &["Expires: 1800"]);
    stage.wait(20).full_state("1001", &[]);
    stage.wait(4_000).idle(ANNA, &[]);
    // The second package is refreshed far earlier and with another Expires than ours, and its body is its own business.
    stage.request(&Ask {
        to_tag: "as",
        body: "<HotelingRequest/>",
        ..hoteling("hotel", 2)
    });
    stage.wait(20).answer(200, &["Expires: 3600"]);
    stage.wait(10);
    notify(&mut stage, "hotel", 3, HOTELING, 200);
    stage.keeps(&["SUB-01", "SUB-02", "SUB-03", "NOT-02", "REF-01"]);
}

#[test]
fn a_refused_second_package_leaves_ours_alone() {
    let mut stage = Stage::registered();
    stage.subscribe_and_state("1001", 1800, &[]);
    for cseq in 1..4 {
        stage.wait(60_000).request(&hoteling("hotel", cseq));
        stage.wait(20).answer(489, &[]);
    }
    stage.wait(4_000).idle(ANNA, &[]);
    stage.keeps(&["SUB-01", "NOT-02"]);
}

#[test]
fn the_challenge_of_a_second_package_is_not_answered_by_ours() {
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
    let credentials =
        "Authorization: Digest username=\"1001\", realm=\"r\", nonce=\"n1\", nc=00000002, qop=auth";
    let mut stage = Stage::registered();
    stage.request(&hoteling("hotel", 1));
    stage.wait(20).answer(401, &[challenge]);
    stage.wait(20).request(&Ask {
        extra: &[credentials],
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(20).answer(200, &["Expires: 1800"]);
    stage.wait(20).full_state("1001", &[]);
    // Taken for a repeat, it would have to have the Call-ID and the next CSeq of the other package's SUBSCRIBE.
    stage.wait(4_000).keeps(&["SUB-01", "REG-05"]);
}

#[test]
fn both_packages_may_share_a_dialog() {
    let mut stage = Stage::synced();
    let cseq = stage.next();
    stage.request(&Ask {
        to_tag: "as",
        ..hoteling("sub", cseq)
    });
    stage.wait(20).answer(200, &["Expires: 3600"]);
    stage.wait(20);
    let next = stage.notified() + 1;
    notify(&mut stage, "sub", next, HOTELING, 200);
    stage
        .wait(5_000)
        .request_change(ANNA, Service::DoNotDisturb, true, None, None);
    stage.wait(50).change(&set_dnd(true));
    stage.wait(20).answer(200, &["Expires: 1800"]);
    stage.wait(20);
    stage.keeps(&["CHG-01", "SUB-01"]);
}

#[test]
fn a_notify_of_ours_in_the_dialog_of_the_other_package_may_be_answered_either_way() {
    for status in [481, 489] {
        let mut stage = both();
        notify(&mut stage, "hotel", 3, crate::stage::EVENT, status);
        stage.breaks(&[]);
    }
}

#[test]
fn defects_of_ours_are_found_with_the_second_package_present() {
    let mut stage = both();
    stage
        .wait(5_000)
        .request_change(ANNA, Service::DoNotDisturb, true, None, None);
    // The second package asks again in time; that carries no change of ours to the server.
    stage.wait(100).request(&Ask {
        to_tag: "as",
        body: &set_dnd(true),
        ..hoteling("hotel", 2)
    });
    stage.wait(20).answer(200, &["Expires: 3600"]);
    stage.wait(2_500).breaks(&["CHG-01"]);

    let mut stage = both();
    stage.wait(60_000).notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(10);
    notify(&mut stage, "hotel", 3, HOTELING, 200);
    stage.wait(4_000).idle(ANNA, &[]);
    stage.breaks(&["MENU-03"]);

    let mut stage = both();
    stage.wait(1_799_000).request(&Ask {
        to_tag: "as",
        ..hoteling("hotel", 2)
    });
    stage.wait(20).answer(200, &["Expires: 3600"]);
    stage.wait(1_000).breaks(&["REF-01"]);

    let mut stage = both();
    stage.wait(60_000).notify("1001", &dnd(true));
    stage.wait(600);
    notify(&mut stage, "hotel", 3, HOTELING, 200);
    stage.breaks(&["NOT-02"]);
}
