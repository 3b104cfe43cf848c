//! A base and its provisioning server: when it asks, what it takes, what it leaves alone.

mod support;

use firmware_stubs::Model;
use firmware_stubs::accounts::{DectState, HandsetTable, Ipui};
use firmware_stubs::defect::Defects;
use firmware_stubs::provisioning::Document;
use sip::node::{Input, Transport};
use sip::time::Instant;
use std::time::Duration;
use support::{ANNA, BEN, Table, account, add_handset, document, param, two_handsets};

fn handset_list(table: &mut Table) -> Vec<String> {
    let text = table.type_in("handset list\r");
    let lines = text.lines().filter(|line| line.starts_with("handset "));
    lines.skip(1).map(str::to_owned).collect()
}

#[test]
fn the_file_is_named_after_the_hardware_address() {
    let table = Table::running(&two_handsets("1"));
    assert_eq!(table.fetched.len(), 1);
    assert_eq!(
        table.fetched[0].1,
        "http://127.0.0.1:8080/base/7c2f80e0d605.xml"
    );
}

#[test]
fn the_handsets_of_the_file_pair_and_show_their_names() {
    let mut table = Table::running(&two_handsets("1"));
    table.log_in();
    let text = table.type_in(&format!("handset {ANNA} display\r"));
    assert!(text.contains("line   Anna\r\n"), "{text}");
    let rows = handset_list(&mut table);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(
        rows[0].contains(&format!("{ANNA} dect Registered")),
        "{rows:?}"
    );
    assert!(rows[1].contains("user 1014 name Ben"), "{rows:?}");
}

#[test]
fn a_fetch_that_fails_is_repeated_at_growing_gaps() {
    let mut table = Table::new("");
    table.file = Some((404, String::new()));
    table.run_for(Duration::from_secs(50));
    let seconds: Vec<u64> = table
        .fetched
        .iter()
        .map(|(at, _)| at.since(table.fetched[0].0).as_secs())
        .collect();
    assert_eq!(seconds, [0, 5, 15, 45]);
    assert!(
        table.console.contains("provisioning answered 404"),
        "{}",
        table.console
    );
    table.file = Some((200, two_handsets("0")));
    table.run_for(Duration::from_secs(120));
    table.log_in();
    assert_eq!(handset_list(&mut table).len(), 2);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let mut table = Table::new("");
    table.file = None;
    table.run_for(Duration::from_secs(20));
    assert_eq!(table.fetched.len(), 2);
    assert!(
        table.console.contains("provisioning not answered"),
        "{}",
        table.console
    );
    table.refuse_fetch(2);
    assert!(
        table.console.contains("no answer: connection refused"),
        "{}",
        table.console
    );
    table.refuse_fetch(1);
    table.run_for(Duration::from_secs(11));
    assert_eq!(table.fetched.len(), 3);
}

#[test]
fn the_file_is_fetched_every_day_and_on_request() {
    let mut table = Table::running(&two_handsets("0"));
    table.type_in("admin\radmin\rprovision\r");
    assert_eq!(table.fetched.len(), 2);
    table.run_for(Duration::from_secs(86_401));
    assert_eq!(table.fetched.len(), 3);
}

#[test]
fn a_file_that_is_refused_changes_nothing_and_says_why() {
    let bomb = "<!DOCTYPE p [<!ENTITY a \"b\">]><provisioning productID=\"e2\"/>";
    let truncated = two_handsets("1");
    let truncated = &truncated[..truncated.len() / 2];
    for (file, why) in [
        (bomb, "document type"),
        (truncated, "not well-formed"),
        ("<html><body>Not here</body></html>", "<html>"),
        ("not XML", "no element"),
    ] {
        let mut table = Table::running(&two_handsets("1"));
        table.file = Some((200, file.to_owned()));
        table.type_in("admin\radmin\r");
        let text = table.type_in("provision\r");
        assert!(
            text.contains("provisioning refused") && text.contains(why),
            "{text}"
        );
        assert_eq!(handset_list(&mut table).len(), 2, "{file}");
    }
}

#[test]
fn what_is_unknown_is_ignored_and_logged() {
    let inside = add_handset(ANNA)
        + &add_handset("029E74A599")
        + &add_handset("nonsense")
        + &account(ANNA, "1013", "Anna", "1")
        + &account("029E74A599", "1015", "Eve", "1")
        + &param("SipAccount.029e74a599.Hoteling", "1")
        + &param("SipProvider.x.Domain", "d")
        + &param("SipProvider.0.ProxyServerPort", "99999")
        + &param("Brand.new", "1")
        + &param("DmGlobal.0.HSIdleDisplay", "1");
    let table = Table::running(&document(&inside));
    for line in [
        "ignored add_hs 029E74A599: neither an IPUI nor an open place",
        "ignored add_hs nonsense",
        "ignored SipAccount.029E74A599.UserName: no handset 029E74A599",
        "ignored SipAccount.029e74a599.Hoteling: not known",
        "ignored SipProvider.x.Domain: not a provider number",
        "ignored SipProvider.0.ProxyServerPort: not a port",
        "ignored Brand.new: not known",
    ] {
        assert!(table.console.contains(line), "{line}\n{}", table.console);
    }
    assert!(
        !table.console.contains("HSIdleDisplay"),
        "{}",
        table.console
    );
    assert!(!table.console.contains("secret"), "{}", table.console);
}

#[test]
fn a_provisioned_password_is_the_only_one() {
    let inside = add_handset(ANNA) + &param("WebUIAccounts.1.Password", "s3cret");
    let mut table = Table::running(&document(&inside));
    let text = table.type_in("admin\radmin\r");
    assert!(text.contains("Login incorrect"), "{text}");
    let text = table.type_in("admin\rs3cret\r");
    assert!(text.ends_with("n870> "), "{text}");
    let login = r#"{"username":"admin","password":"admin"}"#;
    assert_eq!(table.web("POST", "/api/auth/login", "", login).0, 401);
}

#[test]
fn a_handset_that_is_not_provisioned_any_more_is_removed() {
    let mut table = Table::running(&two_handsets("1"));
    let one = add_handset(BEN) + &account(BEN, "1014", "Ben", "1");
    table.file = Some((
        200,
        document(&format!("<oper name=\"DeleteNotProvisionedHS\"/>{one}")),
    ));
    table.log_in();
    table.type_in("provision\r");
    assert_eq!(handset_list(&mut table).len(), 1);
    let text = table.type_in(&format!("handset {ANNA} display\r"));
    assert!(text.contains("error: unknown handset"), "{text}");
}

#[test]
fn a_shutdown_while_booting_ends_at_once() {
    let mut table = Table::new("");
    table.input(Input::Timeout);
    table.input(Input::Shutdown);
    assert!(table.ended);
    table.input(Input::Timeout);
}

fn provisioned(table: &mut HandsetTable, inside: &str) -> Vec<String> {
    let model = Model::built_in("n870").expect("the model reads");
    let document = Document::parse(document(inside).as_bytes(), 100_000).expect("a document");
    let notes = table.provision(Instant::EPOCH, &document, &model, &Defects::default());
    while let Some(deadline) = table.deadline() {
        table.handle_timeout(deadline, &model);
    }
    notes
}

#[test]
fn settings_of_an_open_place_follow_the_handset_that_takes_it() {
    let model = Model::built_in("n870").expect("the model reads");
    for place in ["00001", "0_1"] {
        let mut table = HandsetTable::new(4);
        let inside = add_handset(place) + &account(place, "1013", "Anna", "1");
        assert_eq!(provisioned(&mut table, &inside), Vec::<String>::new());
        let settings = table.settings(&model);
        assert_eq!(settings.len(), 1, "{place}");
        assert!(settings[0].feature_key_sync);
        let ipui = settings[0].handset.clone();
        assert_eq!(Ipui::parse(ipui.as_str()), Some(ipui.clone()));

        let inside = add_handset(ipui.as_str()) + &account(ipui.as_str(), "1013", "Anna", "0");
        provisioned(&mut table, &inside);
        let settings = table.settings(&model);
        assert_eq!(settings.len(), 1, "{place}");
        assert_eq!(settings[0].handset, ipui);
        assert!(!settings[0].feature_key_sync);
    }
}

#[test]
fn the_switch_is_off_unless_it_says_one() {
    let model = Model::built_in("n870").expect("the model reads");
    for (value, on) in [("0", false), ("1", true), ("", false), ("yes", false)] {
        let mut table = HandsetTable::new(4);
        provisioned(
            &mut table,
            &(add_handset(ANNA) + &account(ANNA, "1013", "Anna", value)),
        );
        assert_eq!(table.settings(&model)[0].feature_key_sync, on, "{value}");
        // A later file without the switch is a file with the switch off.
        let without = param(&format!("SipAccount.{ANNA}.UserName"), "1013");
        provisioned(&mut table, &(add_handset(ANNA) + &without));
        assert!(!table.settings(&model)[0].feature_key_sync, "{value}");
    }
}

#[test]
fn an_account_takes_its_provider() {
    let model = Model::built_in("n870").expect("the model reads");
    let mut table = HandsetTable::new(4);
    let inside = add_handset(ANNA)
        + &account(ANNA, "1013", "Anna", "1")
        + &param("SipProvider.0.TransportProtocol", "2")
        + &param("SipProvider.0.RegServerRefreshTimer", "90");
    provisioned(&mut table, &inside);
    let settings = table.settings(&model).remove(0);
    let provider = settings.provider;
    assert_eq!(provider.domain, "as.example.com");
    assert_eq!(provider.transport, Transport::Tcp);
    assert_eq!(provider.refresh_timer, Duration::from_secs(90));
    assert_eq!(provider.subscription_timer, Duration::from_secs(1800));
    assert_eq!(
        provider.proxy.socket_address(),
        "127.0.0.1:5060".parse().ok()
    );
    assert_eq!(format!("{:?}", settings.auth_password), "Secret(..)");
}

#[test]
fn a_handset_that_may_not_pair_has_no_account_on_sip() {
    let model = Model::built_in("n870").expect("the model reads");
    let mut table = HandsetTable::new(4);
    let inside =
        format!("<oper value=\"{ANNA}\" name=\"add_hs\"/>") + &account(ANNA, "1", "A", "1");
    provisioned(&mut table, &inside);
    let states: Vec<DectState> = table.rows().map(|row| row.dect).collect();
    assert_eq!(states, [DectState::NotReg]);
    assert!(table.settings(&model).is_empty());
}

#[test]
fn more_handsets_than_the_base_can_hold_are_ignored() {
    let mut table = HandsetTable::new(4);
    let many: String = (0..251)
        .map(|n| add_handset(&format!("02{n:08x}")))
        .collect();
    let notes = provisioned(&mut table, &many);
    assert_eq!(notes, ["ignored add_hs 02000000fa: more than 250 handsets"]);
    assert_eq!(table.rows().count(), 250);
}
