//! BODY-01, BODY-02, BODY-07, BODY-11.

use crate::stage::{ACTIVE, ANNA, Ask, EVENT, Stage, TYPE, cf, dnd};

const NO_REPLY: &str = "No Reply";

#[test]
fn a_value_in_another_entry_is_found() {
    let mut stage = Stage::synced();
    stage
        .wait(5_000)
        .notify("1001", &cf("Busy", true, "2425", ""));
    stage.wait(10).reply(200, &[]);
    stage.wait(4_000).idle(ANNA, &["Divert no reply: 2425"]);
    stage.breaks(&["BODY-01"]);
}

#[test]
fn four_services_keep_apart() {
    let mut stage = Stage::synced();
    let documents = [
        dnd(true),
        cf("Immediate", true, "1", ""),
        cf("Busy", true, "2", ""),
        cf("NoAns", true, "3", "4"),
    ];
    for document in documents {
        stage.wait(100).notify("1001", &document);
        stage.wait(10).reply(200, &[]);
    }
    stage.wait(4_000);
    stage.idle(
        ANNA,
        &[
            "Do Not Disturb",
            "Divert all: 1",
            "Divert busy: 2",
            "Divert no reply: 3",
        ],
    );
    stage.menu(
        ANNA,
        NO_REPLY,
        &["Status: On", "Phone Number: 3", "Rings: 4"],
    );
    stage.keeps(&["BODY-01", "BODY-11"]);
}

fn multipart(lines: &[&str]) -> Stage {
    let mut stage = Stage::registered();
    stage.idle(ANNA, &[]);
    let on = [dnd(true), cf("Busy", true, "2425", "")];
    stage.subscribe_and_state("1001", 1800, &on);
    stage.wait(4_000).idle(ANNA, lines);
    stage
}

#[test]
fn every_part_of_a_multipart_counts() {
    multipart(&["Do Not Disturb", "Divert busy: 2425"]).keeps(&["BODY-02"]);
    multipart(&["Do Not Disturb"]).breaks(&["BODY-02"]);
    multipart(&["Divert busy: 2425"]).breaks(&["BODY-02"]);
}

#[test]
fn odd_framing_proves_nothing() {
    let mut stage = Stage::synced();
    let body = format!("--B\r\n{TYPE}\r\n\r\n{}\r\n--B\r\n", dnd(true));
    let cseq = stage.notified() + 1;
    stage.notify_with(
        "1001",
        cseq,
        &[EVENT, ACTIVE, "Content-Type: multipart/mixed;boundary=B"],
        &body,
    );
    stage.wait(10).reply(200, &[]);
    stage.wait(5_000).idle(ANNA, &[]);
    stage.breaks(&[]);
}

#[test]
fn the_device_element_does_not_matter() {
    for device in [
        "<device>9</device>",
        "<device/>",
        "<device><notKnown/></device>",
        "",
    ] {
        for (lines, broken) in [(&["Do Not Disturb"][..], &[][..]), (&[], &["BODY-07"])] {
            let mut stage = Stage::synced();
            let document = dnd(true).replace("<device>1001</device>", device);
            stage.wait(5_000).notify("1001", &document);
            stage.wait(10).reply(200, &[]);
            stage.wait(4_000).idle(ANNA, lines);
            stage.breaks(broken);
        }
    }
}

#[test]
fn rings_that_do_not_count_keep_the_old_ones() {
    for rings in ["", "0", "101", "x"] {
        for (shown, broken) in [("Rings: 3", &[][..]), ("Rings: 0", &["BODY-11"])] {
            let mut stage = Stage::synced();
            stage
                .wait(5_000)
                .notify("1001", &cf("NoAns", true, "2426", "3"));
            stage.wait(10).reply(200, &[]);
            stage.wait(100).menu(
                ANNA,
                NO_REPLY,
                &["Status: On", "Phone Number: 2426", "Rings: 3"],
            );
            stage
                .wait(5_000)
                .notify("1001", &cf("NoAns", true, "2427", rings));
            stage.wait(10).reply(200, &[]);
            stage
                .wait(4_000)
                .menu(ANNA, NO_REPLY, &["Status: On", "Phone Number: 2427", shown]);
            stage.breaks(broken);
        }
    }
}

#[test]
fn rings_of_another_forwarding_do_not_count() {
    let mut stage = Stage::synced();
    stage
        .wait(5_000)
        .notify("1001", &cf("NoAns", true, "2426", "3"));
    stage.wait(10).reply(200, &[]);
    stage
        .wait(100)
        .notify("1001", &cf("Busy", true, "2425", "9"));
    stage.wait(10).reply(200, &[]);
    stage.wait(4_000).menu(
        ANNA,
        NO_REPLY,
        &["Status: On", "Phone Number: 2426", "Rings: 9"],
    );
    stage.breaks(&["BODY-11"]);
}

#[test]
fn malformed_documents_change_nothing() {
    let mut stage = Stage::synced();
    stage
        .wait(5_000)
        .notify("1001", "<DoNotDisturbEvent><doNotDisturbOn>true");
    stage.wait(10).reply(400, &[]);
    stage.wait(5_000).idle(ANNA, &[]);
    stage.request(&Ask {
        call: "anew",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.breaks(&[]);
}
