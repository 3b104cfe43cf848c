//! The console of a whole base, byte for byte.

mod support;

use bytes::Bytes;
use sip::node::Input;
use std::time::Duration;
use support::{ANNA, BEN, Table, two_handsets};

#[test]
fn a_boot_is_logged_and_ends_in_a_login_prompt() {
    let mut table = Table::new(&two_handsets("0"));
    table.run_for(Duration::from_millis(215));
    assert_eq!(
        table.console,
        "[    0.000000] Gigaset N870 IP PRO boot loader 1.4\r\n\
         [    0.021375] firmware 83.V2.65.0+build.8504c90\r\n\
         [    0.058112] dect: baseband up, RFPI 0123456789\r\n\
         [    0.104730] eth0: link up, mac 7c2f80e0d605\r\n\
         [    0.150206] sip: stack ready\r\n\
         [    0.200418] init: ready\r\n\
         n870 login: \r\n\
         [    0.200418] provisioning applied 18 parameters\r\n\
         n870 login: "
    );
}

#[test]
fn pairing_shows_the_displays_in_the_log() {
    let mut table = Table::running(&two_handsets("0"));
    let line = format!(
        "\r\n[    0.230418] display {ANNA} idle \
         {{\"title\":\"\",\"lines\":[\"Anna\"],\"cursor\":null,\"softkeys\":[\"\",\"Menu\"]}}\r\nn870 login: "
    );
    assert!(table.console.contains(&line), "{}", table.console);
    let text = table.type_in("admin\r");
    assert_eq!(text, "admin\r\nPassword: ");
}

#[test]
fn a_display_is_shown_line_by_line() {
    let mut table = Table::running(&two_handsets("0"));
    table.log_in();
    let text = table.type_in(&format!("handset {ANNA} display\r"));
    assert_eq!(
        text,
        format!(
            "handset {ANNA} display\r\ndisplay {ANNA} idle\r\ntitle \r\nline   Anna\r\nsoft  | Menu\r\nend\r\nn870> "
        )
    );
    let text = table.type_in(&format!("handset {ANNA} key menu ok\r"));
    assert_eq!(text, format!("handset {ANNA} key menu ok\r\nok\r\nn870> "));
    let text = table.type_in(&format!("handset {ANNA} display\r"));
    assert_eq!(
        text,
        format!(
            "handset {ANNA} display\r\ndisplay {ANNA} menu\r\ntitle Select Services\r\nline > Do Not Disturb\r\n\
             line   Call Divert\r\nsoft Back | Select\r\nend\r\nn870> "
        )
    );
}

#[test]
fn every_key_of_a_row_shows_its_display_in_the_log() {
    let mut table = Table::running(&two_handsets("0"));
    table.type_in("admin\radmin\r");
    let text = table.type_in(&format!("handset {BEN} key menu end\r"));
    assert_eq!(
        text,
        format!(
            "handset {BEN} key menu end\r\n\
             [    1.000000] display {BEN} menu {{\"title\":\"Main Menu\",\"lines\":[\"Select Services\",\"Settings\"],\
             \"cursor\":0,\"softkeys\":[\"Back\",\"Select\"]}}\r\n\
             [    1.000000] display {BEN} idle {{\"title\":\"\",\"lines\":[\"Ben\"],\"cursor\":null,\
             \"softkeys\":[\"\",\"Menu\"]}}\r\n\
             ok\r\nn870> "
        )
    );
}

#[test]
fn what_is_typed_wrong_is_refused_in_one_line() {
    let mut table = Table::running(&two_handsets("0"));
    table.log_in();
    for (typed, error) in [
        ("dance", "unknown command".to_owned()),
        ("handset", "unknown command".to_owned()),
        ("handset 0 display", "unknown handset 0".to_owned()),
        (
            "handset 029E74A599 display",
            "unknown handset 029E74A599".to_owned(),
        ),
        (
            "handset 029e74a599 key menu jump",
            "unknown key jump".to_owned(),
        ),
        (
            "handset 0000000000 key ok",
            "unknown handset 0000000000".to_owned(),
        ),
    ] {
        let text = table.type_in(&format!("{typed}\r\n"));
        assert_eq!(text, format!("{typed}\r\nerror: {error}\r\nn870> "));
    }
    let text = table.type_in(&format!("handset {ANNA} display\r"));
    assert!(
        text.contains("idle"),
        "a refused row of keys presses none: {text}"
    );
}

#[test]
fn a_version_and_a_list_are_what_an_admin_page_shows() {
    let mut table = Table::running(&two_handsets("0"));
    table.log_in();
    let text = table.type_in("version\r");
    assert_eq!(
        text,
        "version\r\nGigaset N870 IP PRO\r\nfirmware 83.V2.65.0+build.8504c90\r\nmac 7c2f80e0d605\r\nn870> "
    );
    let text = table.type_in("handset list\r");
    assert_eq!(
        text,
        format!(
            "handset list\r\nhandset {ANNA} dect Registered sip Not registered user 1013 name Anna\r\n\
             handset {BEN} dect Registered sip Not registered user 1014 name Ben\r\nn870> "
        )
    );
}

#[test]
fn a_reboot_begins_again_and_keeps_the_handsets() {
    let mut table = Table::running(&two_handsets("0"));
    table.log_in();
    let keys = "menu down ok ok ok right ok end";
    table.type_in(&format!("handset {ANNA} key {keys}\r"));
    let text = table.type_in("reboot\rlost input");
    assert_eq!(
        text,
        "reboot\r\n[    0.000000] Gigaset N870 IP PRO boot loader 1.4\r\n"
    );
    table.input(Input::Console(Bytes::from_static(b"nobody listens\r")));
    table.run_for(Duration::from_secs(1));
    assert_eq!(table.fetched.len(), 2);
    table.log_in();
    let text = table.type_in(&format!("handset {ANNA} display\r"));
    assert!(
        text.contains("line   Anna\r\nline   Local: Do not disturb\r\n"),
        "{text}"
    );
}
