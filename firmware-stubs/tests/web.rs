//! The web interface of a whole base.

mod support;

use serde_json::json;
use std::time::Duration;
use support::{ANNA, BEN, Table, two_handsets};

#[test]
fn a_base_that_boots_answers_503() {
    let mut table = Table::new("");
    table.run_for(Duration::from_millis(10));
    assert_eq!(table.web("GET", "/api/device", "", "").0, 503);
}

#[test]
fn the_device_page_names_the_product() {
    let mut table = Table::running(&two_handsets("0"));
    let token = table.web_login();
    let (status, body) = table.web("GET", "/api/device", &token, "");
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({
            "model": "Gigaset N870 IP PRO", "firmware": "83.V2.65.0+build.8504c90", "mac": "7c2f80e0d605", "uptime": 1
        })
    );
}

#[test]
fn the_handset_page_has_the_columns_of_these_bases() {
    let mut table = Table::running(&two_handsets("0"));
    let token = table.web_login();
    let (_, body) = table.web("GET", "/api/handsets", &token, "");
    assert_eq!(
        body[0],
        json!({
            "ipui": ANNA, "username": "1013", "displayName": "Anna", "location": "local", "dect": "Registered",
            "sip": "Not registered", "type": "S700H", "firmware": "131"
        })
    );
    assert_eq!(body[1]["ipui"], BEN);
}

#[test]
fn keys_answer_with_the_display_after_them() {
    let mut table = Table::running(&two_handsets("0"));
    let token = table.web_login();
    let path = format!("/api/handsets/{ANNA}/keys");
    let keys = r#"{"keys":["menu","soft-right","down"]}"#;
    let (status, body) = table.web("POST", &path, &token, keys);
    assert_eq!(status, 200);
    let shown = json!({
        "handset": ANNA, "view": "menu", "title": "Select Services", "lines": ["Do Not Disturb", "Call Divert"],
        "cursor": 1, "softkeys": ["Back", "Select"]
    });
    assert_eq!(body, shown);
    let path = format!("/api/handsets/{ANNA}/display");
    assert_eq!(table.web("GET", &path, &token, ""), (200, shown));
    let path = format!("/api/handsets/{BEN}/display");
    assert_eq!(table.web("GET", &path, &token, "").1["view"], "idle");
}

#[test]
fn an_unknown_handset_and_an_unknown_key_are_refused() {
    let mut table = Table::running(&two_handsets("0"));
    let token = table.web_login();
    for handset in ["0000000000", "029E74A599", "x", ""] {
        let path = format!("/api/handsets/{handset}/display");
        assert_eq!(table.web("GET", &path, &token, "").0, 404, "{handset}");
        let path = format!("/api/handsets/{handset}/keys");
        assert_eq!(
            table.web("POST", &path, &token, r#"{"keys":["ok"]}"#).0,
            404,
            "{handset}"
        );
    }
    let path = format!("/api/handsets/{ANNA}/keys");
    let (status, body) = table.web("POST", &path, &token, r#"{"keys":["menu","jump"]}"#);
    assert_eq!(status, 400);
    assert_eq!(body["message"], "unknown key jump");
    let path = format!("/api/handsets/{ANNA}/display");
    assert_eq!(table.web("GET", &path, &token, "").1["view"], "idle");
}

#[test]
fn a_listener_hears_every_change_of_a_display() {
    let mut table = Table::running(&two_handsets("0"));
    let token = table.web_login();
    assert!(table.events.is_empty(), "nobody listens yet");
    assert_eq!(table.web("GET", "/api/events", &token, "").0, 101);
    let path = format!("/api/handsets/{BEN}/keys");
    table.web("POST", &path, &token, r#"{"keys":["menu","end"]}"#);
    assert_eq!(table.events.len(), 2);
    let event: serde_json::Value = serde_json::from_str(&table.events[1]).unwrap();
    assert_eq!(
        event,
        json!({
            "type": "display", "handset": BEN, "view": "idle", "title": "", "lines": ["Ben"], "cursor": null,
            "softkeys": ["", "Menu"]
        })
    );
}
