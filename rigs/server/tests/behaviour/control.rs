//! The HTTP face: the portal and the fault plan.

use crate::peer::{Lab, SITE, register, subscribe};
use server::Origin;
use sip::service::Service;

const USER: &str = "/com.broadsoft.xsi-actions/v2.0/user/anna@as.test/services";
const XSI: &str = "http://schema.broadsoft.com/xsi";

#[test]
fn a_service_is_read_as_an_xsi_document() {
    let mut lab = Lab::new();
    let (status, body) = lab.http("GET", &format!("{USER}/DoNotDisturb"), "");
    assert_eq!(status, 200);
    assert_eq!(
        body,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DoNotDisturb xmlns=\"{XSI}\">\
             <active>false</active><ringSplash>false</ringSplash></DoNotDisturb>"
        )
    );
    let content_type = lab.replies[0].headers().get("content-type");
    assert_eq!(
        content_type.map(http::HeaderValue::as_bytes),
        Some(&b"application/xml;charset=UTF-8"[..])
    );
}

#[test]
fn a_put_is_a_change_at_the_portal() {
    let mut lab = Lab::new();
    lab.subscribe();
    let document = format!(
        "<?xml version=\"1.0\"?><CallForwardingNoAnswer xmlns=\"{XSI}\"><active>true</active>\
         <forwardToPhoneNumber>2424</forwardToPhoneNumber><numberOfRings>4</numberOfRings>\
         </CallForwardingNoAnswer>"
    );
    let (status, body) = lab.http("PUT", &format!("{USER}/CallForwardingNoAnswer"), &document);
    assert_eq!((status, body.as_str()), (200, ""));
    let state = lab
        .server
        .service("anna", Service::CallForwardingNoAnswer)
        .expect("a state");
    assert_eq!(state.origin, Some(Origin::Portal));
    let notify = lab.next_notify();
    assert!(
        notify
            .body()
            .contains("<forwardTo>2424</forwardTo><ringCount>4</ringCount>"),
        "{}",
        notify.text
    );
    let (_, body) = lab.http("GET", &format!("{USER}/CallForwardingNoAnswer"), "");
    assert!(body.contains("<forwardToPhoneNumber>2424</forwardToPhoneNumber><numberOfRings>4<"));
}

#[test]
fn a_put_keeps_what_it_does_not_name_and_may_clear_the_number() {
    let mut lab = Lab::new();
    let path = format!("{USER}/CallForwardingAlways");
    let put = |lab: &mut Lab, inner: &str| {
        let document =
            format!("<CallForwardingAlways xmlns=\"{XSI}\">{inner}</CallForwardingAlways>");
        lab.http("PUT", &path, &document).0
    };
    let number = |lab: &Lab| {
        let state = lab.server.service("anna", Service::CallForwardingAlways);
        state.and_then(|state| state.setting.number.clone())
    };
    assert_eq!(put(&mut lab, "<active>true</active>"), 400, "to nowhere");
    let on = "<active>true</active><forwardToPhoneNumber>1</forwardToPhoneNumber>";
    assert_eq!(put(&mut lab, on), 200);
    assert_eq!(put(&mut lab, "<active>false</active>"), 200);
    assert_eq!(number(&lab).as_deref(), Some("1"));
    assert_eq!(put(&mut lab, "<forwardToPhoneNumber/>"), 200);
    assert_eq!(number(&lab), None);
}

#[test]
fn bad_requests_say_what_is_wrong() {
    let mut lab = Lab::new();
    let dnd = format!("{USER}/DoNotDisturb");
    for (method, path, body, status, text) in [
        ("PUT", dnd.as_str(), "<DoNotDisturb", 400, "not well-formed"),
        (
            "PUT",
            &dnd,
            "<!DOCTYPE a><a/>",
            400,
            "document type declaration",
        ),
        ("PUT", &dnd, "<Other/>", 400, "the root element is Other"),
        ("POST", &dnd, "", 405, ""),
        (
            "GET",
            &format!("{USER}/CallWaiting"),
            "",
            404,
            "no service CallWaiting",
        ),
        (
            "GET",
            &dnd.replace("anna", "nobody"),
            "",
            404,
            "no user nobody",
        ),
        (
            "GET",
            "/com.broadsoft.xsi-actions/v2.0/user/anna/profile",
            "",
            404,
            "services",
        ),
        ("GET", "/", "", 404, "nothing here"),
        ("GET", "/control/faults/x", "", 404, "nothing here"),
        ("PUT", "/control/faults", "", 405, ""),
        ("POST", "/control/faults", "{", 400, "faults:1: is not JSON"),
        (
            "POST",
            "/control/faults",
            "{\"action\":{\"do\":\"explode\"}}",
            400,
            "explode",
        ),
    ] {
        let (got, body) = lab.http(method, path, body);
        assert_eq!(got, status, "{method} {path}: {body}");
        assert!(body.contains(text), "{method} {path}: {body}");
    }
}

#[test]
fn a_service_that_is_not_assigned_is_not_there() {
    let mut lab = Lab::new();
    let service = Service::DoNotDisturb;
    lab.with(|server, now| server.set_assigned(now, "anna", service, false));
    let (status, body) = lab.http("GET", &format!("{USER}/DoNotDisturb"), "");
    assert_eq!(status, 404);
    assert!(body.contains("anna does not have the service"), "{body}");
}

#[test]
fn the_fault_plan_is_loaded_listed_and_cleared() {
    let mut lab = Lab::new();
    let fault = r#"{"on":{"method":"SUBSCRIBE"},"times":1,"action":{"do":"answer","code":489}}"#;
    let (status, body) = lab.http("POST", "/control/faults", fault);
    assert_eq!((status, body.as_str()), (201, "{\"ids\":[1]}"));
    lab.say(&subscribe(1, "", "", ""));
    assert_eq!(lab.answer().status(), "489");
    let (_, body) = lab.http("GET", "/control/faults", "");
    assert_eq!(
        body,
        format!(
            "[{{\"fault\":{{\"action\":{{\"code\":489,\"do\":\"answer\"}},\"on\":{{\"method\":\"SUBSCRIBE\"}},\"times\":1}},\"id\":1,\"used\":1}}]"
        )
    );
    let list = r#"[{"action":{"do":"drop"}},{"action":{"do":"withhold-notify"}}]"#;
    let (_, body) = lab.http("POST", "/control/faults", list);
    assert_eq!(body, "{\"ids\":[2,3]}");
    assert_eq!(lab.http("DELETE", "/control/faults/2", "").0, 204);
    assert_eq!(lab.http("DELETE", "/control/faults/2", "").0, 404);
    assert_eq!(lab.http("DELETE", "/control/faults", "").0, 204);
    assert_eq!(lab.http("GET", "/control/faults", "").1, "[]");
}

#[test]
fn the_accounts_are_listed_without_their_passwords() {
    let mut lab = Lab::new();
    lab.say(&register(1, "Contact: <sip:anna@127.0.0.2:5060>\n"));
    lab.subscribe();
    let (status, body) = lab.http("GET", "/control/users", "");
    assert_eq!(status, 200);
    for part in [
        "\"name\":\"anna\"",
        "sip:anna@127.0.0.2:5060",
        "\"callId\":\"sub-1\"",
        "do-not-disturb",
    ] {
        assert!(body.contains(part), "{body}");
    }
    assert!(!body.contains("secret"), "{body}");
}

#[test]
fn a_site_has_a_plan_of_its_own_and_can_be_stopped_and_started() {
    let mut lab = Lab::new();
    let (status, body) = lab.http("GET", "/control/sites", "");
    assert_eq!(status, 200);
    assert!(
        body.contains("\"name\":\"main\",\"running\":true"),
        "{body}"
    );
    let drop = r#"{"action":{"do":"drop"},"times":1}"#;
    let plan = "/control/sites/main/faults";
    assert_eq!(lab.http("POST", plan, drop).1, "{\"ids\":[1]}");
    assert_eq!(lab.http("DELETE", &format!("{plan}/1"), "").0, 204);

    assert_eq!(lab.http("POST", "/control/sites/main/stop", "").0, 204);
    assert!(!lab.server.is_running(SITE));
    let register = register(1, "Contact: <sip:anna@127.0.0.2:5060>\n");
    lab.say(&register);
    assert!(lab.sent.is_empty());
    assert_eq!(lab.http("POST", "/control/sites/main/start", "").0, 204);
    lab.say(&register);
    assert_eq!(lab.answer().status(), "200");
    assert_eq!(lab.http("POST", "/control/sites/main/restart", "").0, 204);
    assert!(lab.server.bindings("anna").is_empty());
}

#[test]
fn what_no_site_has_is_not_found() {
    let mut lab = Lab::new();
    for (method, path, status) in [
        ("POST", "/control/sites/moon/stop", 404),
        ("POST", "/control/sites/main/explode", 404),
        ("GET", "/control/sites/main/stop", 405),
        ("GET", "/control/sites/moon/faults", 404),
        ("DELETE", "/control/sites/main/faults/1", 404),
        ("POST", "/control/sites", 405),
    ] {
        assert_eq!(lab.http(method, path, "").0, status, "{method} {path}");
    }
    assert!(lab.server.is_running(SITE));
}
