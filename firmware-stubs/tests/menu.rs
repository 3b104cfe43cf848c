//! A handset by its keys and its display, in walks as a user takes them.

use firmware_stubs::Model;
use firmware_stubs::defect::{Defect, Defects};
use firmware_stubs::menu::{Handset, Key, Request, View};
use sip::feature_event::{Service, Setting};
use std::sync::Arc;

fn spoilt(defects: Defects) -> Handset {
    let model = Arc::new(Model::built_in("n870").expect("the model reads"));
    let mut handset = Handset::new(model, defects, "", false);
    handset.configure("Anna", true);
    handset
}

fn synchronised() -> Handset {
    spoilt(Defects::default())
}

fn local() -> Handset {
    let mut handset = synchronised();
    handset.configure("Anna", false);
    handset
}

fn press(handset: &mut Handset, keys: &str) -> Vec<Request> {
    let keys = keys.split(' ').map(|key| Key::parse(key).expect("a key"));
    keys.filter_map(|key| handset.press(key)).collect()
}

/// Title and lines, the cursor's line marked.
fn shown(handset: &Handset) -> String {
    let screen = handset.screen();
    let mut text = screen.title;
    for (index, line) in screen.lines.iter().enumerate() {
        text.push_str(if screen.cursor == Some(index) {
            "|>"
        } else {
            "|"
        });
        text.push_str(line);
    }
    text
}

fn setting(active: bool, number: Option<&str>, rings: Option<u32>) -> Setting {
    Setting {
        active,
        number: number.map(str::to_owned),
        rings,
        agent: None,
    }
}

#[test]
fn the_menu_tree_is_walked_by_its_titles() {
    for (keys, title) in [
        ("menu", "Main Menu|>Select Services|Settings"),
        ("soft-right", "Main Menu|>Select Services|Settings"),
        ("menu down", "Main Menu|Select Services|>Settings"),
        ("menu up", "Main Menu|Select Services|>Settings"),
        ("menu down down", "Main Menu|>Select Services|Settings"),
        ("menu ok", "Select Services|>Do Not Disturb|Call Divert"),
        ("menu ok ok", "Do Not Disturb|>Status: -"),
        (
            "menu right down right",
            "Call Divert|>All Calls|When Busy|No Reply",
        ),
        ("menu ok down ok ok", "All Calls|>Status: -|Phone Number: "),
        (
            "menu ok down ok down ok",
            "When Busy|>Status: -|Phone Number: ",
        ),
        (
            "menu ok down ok up ok",
            "No Reply|>Status: -|Phone Number: |Rings: ",
        ),
        ("menu down ok", "Settings|>Audio Settings"),
        ("menu down ok ok", "Audio Settings|>Local Do Not Disturb"),
        (
            "menu ok down ok up ok back",
            "Call Divert|All Calls|When Busy|>No Reply",
        ),
        (
            "menu ok down ok soft-left",
            "Select Services|Do Not Disturb|>Call Divert",
        ),
        ("menu ok ok menu", "Main Menu|>Select Services|Settings"),
        ("menu back", "|Anna"),
        ("menu ok ok end", "|Anna"),
    ] {
        let mut handset = synchronised();
        assert_eq!(press(&mut handset, keys), [], "{keys}");
        assert_eq!(shown(&handset), title, "{keys}");
    }
}

#[test]
fn the_idle_screen_shows_what_is_active_in_the_order_of_the_menu() {
    let mut handset = synchronised();
    for service in Service::CALL.iter().rev() {
        handset.handle_state(*service, &setting(true, Some("2424"), Some(3)));
    }
    let screen = handset.screen();
    assert_eq!(screen.view, View::Idle);
    assert_eq!(screen.softkeys, ["", "Menu"]);
    let all = "|Anna|Do Not Disturb|Divert all: 2424|Divert busy: 2424|Divert no reply: 2424";
    assert_eq!(shown(&handset), all);
    for service in Service::CALL {
        handset.handle_state(service, &setting(false, None, None));
    }
    assert_eq!(shown(&handset), "|Anna");
}

#[test]
fn saving_asks_the_server_and_waits_for_its_word() {
    let mut handset = synchronised();
    handset.handle_state(Service::DoNotDisturb, &setting(false, None, None));
    let requests = press(&mut handset, "menu ok ok right");
    assert_eq!(requests, []);
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: On");
    assert_eq!(handset.screen().softkeys, ["Back", "Save"]);
    let requests = press(&mut handset, "soft-right");
    let request = Request::Change {
        service: Service::DoNotDisturb,
        setting: setting(true, None, None),
    };
    assert_eq!(requests, [request]);
    assert_eq!(
        shown(&handset),
        "Do Not Disturb|>Status: Off|Please wait..."
    );
    handset.handle_state(Service::DoNotDisturb, &setting(true, None, None));
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: On");
    press(&mut handset, "end");
    assert_eq!(shown(&handset), "|Anna|Do Not Disturb");
}

#[test]
fn a_server_that_decides_otherwise_has_the_last_word() {
    let mut handset = synchronised();
    press(&mut handset, "menu ok ok right soft-right");
    handset.handle_state(Service::DoNotDisturb, &setting(false, None, None));
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: Off");
}

#[test]
fn a_refusal_shows_the_old_values_and_says_so_until_the_next_key() {
    let mut handset = synchronised();
    handset.handle_state(Service::DoNotDisturb, &setting(false, None, None));
    press(&mut handset, "menu ok ok right ok");
    handset.handle_refusal(Service::DoNotDisturb);
    assert_eq!(
        shown(&handset),
        "Do Not Disturb|>Status: Off|Service not available"
    );
    press(&mut handset, "down");
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: Off");
}

#[test]
fn a_forwarding_is_typed_with_number_and_rings() {
    let mut handset = synchronised();
    handset.handle_state(
        Service::CallForwardingNoAnswer,
        &setting(false, Some("2424"), Some(4)),
    );
    press(
        &mut handset,
        "menu ok down ok up ok right down clear clear * # 7 down clear 6",
    );
    assert_eq!(
        shown(&handset),
        "No Reply|Status: On|Phone Number: 24*#7|>Rings: 6"
    );
    let request = Request::Change {
        service: Service::CallForwardingNoAnswer,
        setting: setting(true, Some("24*#7"), Some(6)),
    };
    assert_eq!(press(&mut handset, "soft-right"), [request]);
}

#[test]
fn an_unknown_ring_count_becomes_the_usual_one() {
    let mut handset = synchronised();
    let request = Request::Change {
        service: Service::CallForwardingNoAnswer,
        setting: setting(true, Some("2"), Some(3)),
    };
    assert_eq!(
        press(&mut handset, "menu ok down ok up ok right down 2 ok"),
        [request]
    );
}

#[test]
fn what_is_incomplete_is_not_sent() {
    for keys in [
        // Neither on nor off, no number, rings out of range.
        "menu ok ok ok",
        "menu ok down ok ok right ok",
        "menu ok down ok up ok right down 2 down 0 ok",
        "menu ok down ok up ok right down 2 down 1 0 1 ok",
    ] {
        let mut handset = synchronised();
        assert_eq!(press(&mut handset, keys), [], "{keys}");
        assert!(
            shown(&handset).ends_with("|Please check your entry"),
            "{keys}"
        );
        press(&mut handset, "up");
        assert!(!shown(&handset).contains("Please"), "{keys}");
    }
}

#[test]
fn switching_a_forwarding_off_keeps_its_number_in_the_request() {
    let mut handset = synchronised();
    handset.handle_state(
        Service::CallForwardingBusy,
        &setting(true, Some("2425"), None),
    );
    let request = Request::Change {
        service: Service::CallForwardingBusy,
        setting: setting(false, Some("2425"), None),
    };
    assert_eq!(
        press(&mut handset, "menu ok down ok down ok left ok"),
        [request]
    );
}

#[test]
fn an_open_editor_follows_the_server_until_the_user_changes_it() {
    let mut handset = synchronised();
    press(&mut handset, "menu ok down ok ok");
    handset.handle_state(
        Service::CallForwardingAlways,
        &setting(true, Some("1"), None),
    );
    assert_eq!(shown(&handset), "All Calls|>Status: On|Phone Number: 1");
    press(&mut handset, "down 2");
    handset.handle_state(
        Service::CallForwardingAlways,
        &setting(false, Some("9"), None),
    );
    assert_eq!(shown(&handset), "All Calls|Status: On|>Phone Number: 12");
    press(&mut handset, "back ok");
    assert_eq!(shown(&handset), "All Calls|>Status: Off|Phone Number: 9");
}

#[test]
fn a_state_of_one_service_leaves_the_others_alone() {
    let mut handset = synchronised();
    handset.handle_state(
        Service::CallForwardingAlways,
        &setting(true, Some("1"), None),
    );
    handset.handle_state(Service::CallForwardingBusy, &setting(true, Some("2"), None));
    press(&mut handset, "menu ok down ok ok");
    assert_eq!(shown(&handset), "All Calls|>Status: On|Phone Number: 1");
    press(&mut handset, "back down down ok");
    assert_eq!(
        shown(&handset),
        "No Reply|>Status: -|Phone Number: |Rings: "
    );
}

#[test]
fn without_synchronisation_the_services_live_in_the_handset() {
    let mut handset = local();
    assert_eq!(press(&mut handset, "menu ok ok"), []);
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: Off");
    assert_eq!(press(&mut handset, "right soft-right"), []);
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: On");
    handset.handle_state(Service::DoNotDisturb, &setting(false, None, None));
    press(&mut handset, "end");
    assert_eq!(shown(&handset), "|Anna|Do Not Disturb");
}

#[test]
fn the_switch_changes_whose_word_counts() {
    let mut handset = local();
    press(&mut handset, "menu ok ok right ok end");
    handset.configure("Anna", true);
    assert_eq!(shown(&handset), "|Anna");
    press(&mut handset, "menu ok ok");
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: -");
    handset.configure("Anna B.", false);
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: On");
    press(&mut handset, "end");
    assert_eq!(shown(&handset), "|Anna B.|Do Not Disturb");
}

#[test]
fn the_ringers_do_not_disturb_stays_in_the_handset() {
    let mut handset = synchronised();
    handset.handle_state(Service::DoNotDisturb, &setting(false, None, None));
    assert_eq!(press(&mut handset, "menu down ok ok ok right"), []);
    assert_eq!(shown(&handset), "Local Do Not Disturb|>Status: On");
    assert!(!handset.ringer_dnd(), "not saved yet");
    assert_eq!(press(&mut handset, "soft-right"), []);
    assert_eq!(shown(&handset), "Local Do Not Disturb|>Status: On");
    press(&mut handset, "end");
    assert_eq!(shown(&handset), "|Anna|Local: Do not disturb");
    press(&mut handset, "menu ok ok");
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: Off");
    press(&mut handset, "end menu down ok ok ok left ok back back end");
    assert_eq!(shown(&handset), "|Anna");
}

#[test]
fn digits_and_talk_dial_and_end_hangs_up() {
    let mut handset = synchronised();
    assert_eq!(press(&mut handset, "* 7 8"), []);
    assert_eq!(shown(&handset), "Dial|*78");
    assert_eq!(handset.screen().view, View::Menu);
    assert_eq!(
        press(&mut handset, "9 clear talk"),
        [Request::Dial("*78".to_owned())]
    );
    assert_eq!(shown(&handset), "Calling|*78");
    assert_eq!(press(&mut handset, "5 menu"), []);
    assert_eq!(press(&mut handset, "end"), [Request::HangUp]);
    assert_eq!(shown(&handset), "|Anna");
    press(&mut handset, "1 talk");
    handset.handle_call_ended();
    assert_eq!(shown(&handset), "|Anna");
    assert_eq!(press(&mut handset, "1 clear"), []);
    assert_eq!(shown(&handset), "|Anna");
    assert_eq!(press(&mut handset, "1 back talk end"), []);
}

#[test]
fn a_number_has_an_end() {
    let mut handset = synchronised();
    press(&mut handset, "menu ok down ok ok down");
    for _ in 0..100 {
        press(&mut handset, "1");
    }
    assert_eq!(
        shown(&handset),
        format!("All Calls|Status: -|>Phone Number: {}", "1".repeat(32))
    );
}

#[test]
fn a_defect_of_the_display_is_one_decision_turned_round() {
    let on = setting(true, None, None);
    let off = setting(false, None, None);
    let spoil = |defect| spoilt(Defects::from(defect));

    let mut handset = spoil(Defect::ShowsNoIndicators);
    handset.handle_state(Service::DoNotDisturb, &on);
    assert_eq!(shown(&handset), "|Anna");

    let mut handset = spoil(Defect::KeepsIndicators);
    handset.handle_state(Service::DoNotDisturb, &on);
    handset.handle_state(Service::DoNotDisturb, &off);
    assert_eq!(shown(&handset), "|Anna|Do Not Disturb");

    let mut handset = spoil(Defect::ShowsRingerAsService);
    press(&mut handset, "menu down ok ok ok right ok end");
    assert_eq!(shown(&handset), "|Anna|Do Not Disturb");

    let mut handset = spoil(Defect::SendsRingerToServer);
    assert_eq!(press(&mut handset, "menu down ok ok ok right ok").len(), 1);

    let mut handset = spoil(Defect::OpenMenuIgnoresServer);
    handset.handle_state(Service::DoNotDisturb, &off);
    press(&mut handset, "menu ok ok");
    handset.handle_state(Service::DoNotDisturb, &on);
    assert_eq!(shown(&handset), "Do Not Disturb|>Status: Off");
}
