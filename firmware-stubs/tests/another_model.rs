//! A device with another menu needs a model file and no code: other depth, other words, one service less.

mod support;

use document::FileError;
use firmware_stubs::Model;
use firmware_stubs::menu::{Handset, Key, Request, View};
use sip::service::{Service, Setting};
use std::sync::Arc;
use std::time::Duration;
use support::{ANNA, Table, two_handsets};

const POCKET: &str = include_str!("models/pocket.toml");
const N870: &str = include_str!("../models/n870.toml");

fn pocket() -> Model {
    Model::from_toml(POCKET, "pocket.toml").expect("the model reads")
}

fn handset(model: Model) -> Handset {
    let mut handset = Handset::new(
        Arc::new(model),
        firmware_stubs::defect::Defects::default(),
        "",
        false,
    );
    handset.configure("Anna", true);
    handset
}

fn press(handset: &mut Handset, keys: &str) -> Vec<Request> {
    let keys = keys.split(' ').map(|key| Key::parse(key).expect("a key"));
    keys.filter_map(|key| handset.press(key)).collect()
}

fn shown(handset: &Handset) -> String {
    let screen = handset.screen();
    format!("{}|{}", screen.title, screen.lines.join("|"))
}

fn forwarding(number: &str, rings: Option<u32>) -> Setting {
    Setting {
        active: true,
        number: Some(number.to_owned()),
        rings,
        ..Setting::default()
    }
}

#[test]
fn the_tree_of_the_file_is_the_tree_of_the_handset() {
    for (keys, screen) in [
        ("menu", "Options|Quiet|Calls.."),
        ("menu ok", "Quiet|?"),
        ("menu down ok", "Calls|Incoming|Send away"),
        ("menu down ok ok ok ok", "Send later|after |?|to "),
        ("menu down ok ok ok ok back back", "Incoming|Unanswered"),
        (
            "menu down ok ok ok ok back back back",
            "Calls|Incoming|Send away",
        ),
        ("menu down ok down ok back back", "Options|Quiet|Calls.."),
        ("menu down ok ok back back back", "|Anna"),
    ] {
        let mut handset = handset(pocket());
        assert_eq!(press(&mut handset, keys), [], "{keys}");
        assert_eq!(shown(&handset), screen, "{keys}");
    }
}

#[test]
fn an_editor_has_the_fields_of_the_file_in_their_order() {
    let mut handset = handset(pocket());
    let keys = "menu down ok ok ok ok 7 down right down 2 4";
    assert_eq!(press(&mut handset, keys), []);
    assert_eq!(shown(&handset), "Send later|after 7|yes|to 24");
    let saved = Request::Change {
        service: Service::CallForwardingNoAnswer,
        setting: forwarding("24", Some(7)),
    };
    assert_eq!(press(&mut handset, "soft-right"), [saved]);
    assert_eq!(shown(&handset), "Send later|after |?|to |...");
}

#[test]
fn the_idle_screen_has_the_lines_of_the_file_in_their_order() {
    let mut handset = handset(pocket());
    for service in Service::CALL {
        handset.handle_state(service, &forwarding("24", Some(2)));
    }
    let screen = handset.screen();
    assert_eq!(screen.view, View::Idle);
    assert_eq!(screen.softkeys, ["", "Opt"]);
    assert_eq!(screen.lines, ["=> 24", "-> 24", "Anna", "(quiet)"]);
}

#[test]
fn a_whole_base_runs_from_the_file() {
    let mut table = Table::of(pocket(), &two_handsets("0"));
    table.run_for(Duration::from_secs(1));
    table.log_in();
    let keys = format!("handset {ANNA} key menu ok right soft-right\r");
    assert!(table.type_in(&keys).contains("ok\r\npocket> "));
    let screen = table.type_in(&format!("handset {ANNA} display\r"));
    assert!(
        screen.contains("title Quiet\r\nline > yes\r\nsoft < | Set"),
        "{screen}"
    );
    table.type_in(&format!("handset {ANNA} key end\r"));
    let screen = table.type_in(&format!("handset {ANNA} display\r"));
    assert!(
        screen.contains("line   Anna\r\nline   (quiet)\r\n"),
        "{screen}"
    );
}

#[test]
fn another_language_is_another_word_in_the_file() {
    let text = N870.replace("language = \"en\"", "language = \"de\"");
    let mut handset = handset(Model::from_toml(&text, "n870.toml").expect("the model reads"));
    press(&mut handset, "menu ok");
    assert_eq!(
        shown(&handset),
        "Netzdienste|Bitte nicht stören|Anrufweiterschaltung"
    );
}

fn refused(from: &str, to: &str) -> FileError {
    assert!(POCKET.contains(from), "{from}");
    let text = POCKET.replacen(from, to, 1);
    Model::from_toml(&text, "pocket.toml").expect_err(to)
}

#[test]
fn a_menu_that_cannot_be_walked_is_refused_with_its_key_and_the_nearest_name() {
    for (from, to, problem) in [
        (
            "open calls",
            "open cals",
            "menu.page.top.entries: no page `cals`; did you mean `calls`?",
        ),
        (
            "root = \"top\"",
            "root = \"tip\"",
            "menu.root: no page `tip`; did you mean `top`?",
        ),
        (
            "effect = \"open incoming\"",
            "effect = \"edit do-not-disturb\"",
            "menu.page.incoming: no way leads here from `top`",
        ),
        (
            "effect = \"open unanswered\"",
            "effect = \"open calls\"",
            "menu.page.incoming.entries: `open calls` leads back up: a cycle without way back",
        ),
        (
            "edit call-forwarding-always",
            "edit call-forwarding-busy",
            "menu.page.calls.entries: this model has no service `call-forwarding-busy`; did you mean \
             `call-forwarding-always`?",
        ),
        (
            "service = \"call-forwarding-always\"",
            "service = \"call-forwarding-busy\"",
            "menu.editor.call-forwarding-busy: this model has no service `call-forwarding-busy`; did you mean \
             `call-forwarding-always`?",
        ),
        (
            "effect = \"edit call-forwarding-always\"",
            "effect = \"toggle-ringer\"",
            "menu.editor.call-forwarding-always: no entry opens this editor",
        ),
        (
            "calls-title = ",
            "calls-titel = ",
            "text.en: `calls-title` is missing; did you mean `calls-titel`?",
        ),
        (
            "menu-key = ",
            "laterr = \"x\"\nmenu-key = ",
            "text.en.laterr: no display shows it; did you mean `later`?",
        ),
        (
            "root = \"top\"",
            "root = \"top\"\nlanguage = \"fr\"",
            "menu.language: no texts for `fr`; known here: `en`",
        ),
        (
            "calls = \"Calls..\"",
            "calls = \"Quiet\"",
            "menu.page.top.entries: `Quiet` stands there twice in `en`",
        ),
        (
            "fields = [\"status\"]",
            "fields = [\"status\", \"rings\"]",
            "menu.editor.do-not-disturb.fields: `do-not-disturb` has no `rings`",
        ),
        (
            "fields = [\"number\", \"status\"]",
            "fields = [\"number\"]",
            "menu.editor.call-forwarding-always.fields: without `status` nothing can be switched",
        ),
        (
            "number = \"to {value}\"",
            "number = \"to\"",
            "text.en.number: no `{value}` in it",
        ),
        (
            "{ show = \"name\" }",
            "{ show = \"do-not-disturb\", text = \"quiet\" }",
            "menu.idle.do-not-disturb: shown twice",
        ),
        (
            "entries = [{ label = \"unanswered\", effect = \"open unanswered\" }]",
            "entries = []",
            "menu.page.incoming: a page without entries",
        ),
        (
            "id = \"unanswered\"",
            "id = \"incoming\"",
            "menu.page.incoming: a second page with the same id",
        ),
        (
            "effect = \"open calls\"",
            "effect = \"opne calls\"",
            "effect `opne calls`: neither `open PAGE` nor `edit SERVICE` nor `toggle-ringer`; did you mean `open`?",
        ),
        (
            "effect = \"edit do-not-disturb\"",
            "effect = \"edit do-not-distrub\"",
            "effect `edit do-not-distrub`: unknown service; did you mean `do-not-disturb`?",
        ),
        (
            "show = \"name\"",
            "show = \"nane\"",
            "an idle screen cannot show `nane`; did you mean `name`?",
        ),
    ] {
        let told = refused(from, to).to_string();
        assert!(told.ends_with(problem), "{to}: {told}");
    }
}

#[test]
fn a_refusal_names_the_line() {
    let error = refused("open calls", "open cals");
    let line = POCKET.lines().position(|line| line.contains("open calls"));
    assert_eq!(Some(error.line), line.map(|line| line + 1));
    let error = refused("effect = \"open calls\"", "effect = \"opne calls\"");
    assert_eq!(Some(error.line), line.map(|line| line + 1));
}
