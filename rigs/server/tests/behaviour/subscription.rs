//! Subscriptions: what is granted, what is notified to whom, and how they end.

use crate::peer::{
    ANNA, Lab, NS, SITE, flow, register, set_dnd, set_forwarding, subscribe, subscribe_in,
};
use server::{Dialect, Ending, ExpiresPolicy, Faults as _, Lifetime, Origin, UserConfig};
use sip::node::{Input, Node, Transport};
use sip::service::{Service, Setting};
use sip::time::Instant;
use std::time::Duration;

fn dnd(active: bool) -> Setting {
    Setting {
        active,
        number: None,
        rings: None,
        agent: None,
    }
}

#[test]
fn the_first_notify_is_the_full_state_byte_for_byte() {
    let mut lab = Lab::new();
    let forwards = Setting {
        rings: Some(3),
        ..Setting::to("2424")
    };
    lab.with(|server, now| {
        let service = Service::CallForwardingNoAnswer;
        server.set_service(now, "anna", service, forwards, Origin::Portal)
    });
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    let answer = lab.answer();
    assert_eq!(answer.first_line(), "SIP/2.0 200 OK");
    assert_eq!(answer.header("Expires"), Some("1800"));
    assert_eq!(answer.header("Contact"), Some("<sip:127.0.0.1:5060>"));
    let tag = answer.tag("To");
    let notify = lab.next_notify();
    assert_eq!(
        notify.at,
        Duration::from_millis(50),
        "the gap of the dialect"
    );
    let declaration = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>";
    let part =
        "--UniqueBroadWorksBoundary\r\nContent-Type:application/x-as-feature-event+xml\r\n\r\n";
    let forwarding = |kind: &str, on: bool, rest: &str| {
        format!(
            "{part}{declaration}<ForwardingEvent xmlns=\"{NS}\"><device>anna</device>\
             <forwardingType>{kind}</forwardingType><forwardStatus>{on}</forwardStatus>\
             {rest}</ForwardingEvent>\r\n"
        )
    };
    let body = [
        format!(
            "{part}{declaration}<DoNotDisturbEvent xmlns=\"{NS}\"><device>anna</device>\
             <doNotDisturbOn>false</doNotDisturbOn></DoNotDisturbEvent>\r\n"
        ),
        forwarding("forwardImmediate", false, "<forwardTo></forwardTo>"),
        forwarding("forwardBusy", false, "<forwardTo></forwardTo>"),
        forwarding(
            "forwardNoAns",
            true,
            "<forwardTo>2424</forwardTo><ringCount>3</ringCount>",
        ),
        "--UniqueBroadWorksBoundary--\r\n".to_owned(),
    ]
    .concat();
    let branch = notify
        .header("Via")
        .and_then(|via| via.split("branch=").nth(1));
    let branch = branch.expect("a branch");
    assert!(branch.starts_with("z9hG4bKBroadworksSSE.-"), "{branch}");
    let head = format!(
        "NOTIFY sip:anna@127.0.0.2:5060 SIP/2.0\r\n\
         Via:SIP/2.0/UDP 127.0.0.1:5060;branch={branch}\r\n\
         From:<sip:anna@as.test>;tag={tag}\r\n\
         To:<sip:anna@as.test>;tag=a-sub-1\r\n\
         Call-ID:sub-1\r\n\
         CSeq:101 NOTIFY\r\n\
         Contact:<sip:127.0.0.1:5060>\r\n\
         Event:as-feature-event\r\n\
         Subscription-State:active;expires=1799\r\n\
         Max-Forwards:69\r\n\
         Content-Type:multipart/mixed;boundary=UniqueBroadWorksBoundary\r\n\
         Content-Length:{}\r\n\r\n",
        body.len()
    );
    assert_eq!(notify.text, head + &body);
}

#[test]
fn a_subscription_is_challenged_and_its_credentials_are_taken() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 401 Unauthorized");
    let challenge = lab
        .answer()
        .header("WWW-Authenticate")
        .expect("a challenge");
    let credentials =
        crate::peer::authorization(challenge, "SUBSCRIBE", "sip:anna@as.test", 1, "secret");
    lab.say(&subscribe(
        2,
        "",
        &format!("Expires: 1800\n{credentials}"),
        "",
    ));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
}

#[test]
fn the_credentials_of_another_account_are_refused() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    lab.with(|server, now| server.add_user(now, UserConfig::new("berta", "secret")));
    let of_berta = |text: String| text.replace("sip:anna@as.test", "sip:berta@as.test");
    lab.say(&of_berta(subscribe(1, "", "", "")));
    let challenge = lab
        .answer()
        .header("WWW-Authenticate")
        .expect("a challenge");
    let uri = "sip:berta@as.test";
    let credentials = crate::peer::authorization(challenge, "SUBSCRIBE", uri, 1, "secret");
    lab.say(&of_berta(subscribe(2, "", &credentials, "")));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 403 Forbidden");
}

#[test]
fn a_change_at_the_portal_is_notified_alone() {
    let mut lab = Lab::new();
    lab.subscribe();
    let service = Service::DoNotDisturb;
    let changed =
        lab.with(|server, now| server.set_service(now, "anna", service, dnd(true), Origin::Portal));
    assert!(changed);
    let notify = lab.next_notify();
    assert_eq!(notify.header("CSeq"), Some("102 NOTIFY"));
    assert_eq!(
        notify.header("Content-Type"),
        Some("application/x-as-feature-event+xml")
    );
    assert_eq!(
        notify.body(),
        format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><DoNotDisturbEvent xmlns=\"{NS}\">\
             <device>anna</device><doNotDisturbOn>true</doNotDisturbOn></DoNotDisturbEvent>"
        )
    );
}

#[test]
fn what_is_set_as_it_was_is_not_notified() {
    let mut lab = Lab::new();
    lab.subscribe();
    let service = Service::DoNotDisturb;
    let changed = lab
        .with(|server, now| server.set_service(now, "anna", service, dnd(false), Origin::Portal));
    assert!(!changed);
    lab.pass(Duration::from_secs(5));
    assert_eq!(lab.notifies().len(), 1);
}

#[test]
fn a_change_by_the_handset_is_stored_and_confirmed() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", &set_dnd(true)));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
    let state = lab
        .server
        .service("anna", Service::DoNotDisturb)
        .expect("a state");
    assert!(state.setting.active);
    assert_eq!(state.origin, Some(Origin::Handset));
    let notify = lab.next_notify();
    assert!(
        notify.body().contains("<doNotDisturbOn>true<"),
        "{}",
        notify.text
    );
    assert!(
        !notify.body().contains("ForwardingEvent"),
        "{}",
        notify.text
    );
}

#[test]
fn forwarding_takes_number_and_rings_from_the_handset() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    let body = set_forwarding("forwardNoAns", true, "2428", "<ringCount>5</ringCount>");
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", &body));
    let notify = lab.next_notify();
    assert!(
        notify.body().contains(
            "<forwardStatus>true</forwardStatus><forwardTo>2428</forwardTo><ringCount>5</ringCount>"
        ),
        "{}",
        notify.text
    );
}

#[test]
fn a_refresh_brings_what_changed_in_silence() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    let service = Service::CallForwardingBusy;
    lab.with(|server, now| server.set_service_silently(now, "anna", service, Setting::to("77")));
    lab.pass(Duration::from_secs(600));
    assert_eq!(lab.notifies().len(), 1);
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", ""));
    let notify = lab.next_notify();
    assert!(
        notify.body().contains("<forwardTo>77</forwardTo>"),
        "{}",
        notify.text
    );
    assert_eq!(notify.body().matches("<?xml").count(), 4, "the full state");
}

#[test]
fn every_subscription_of_the_account_hears_of_a_change_and_no_other() {
    let mut lab = Lab::new();
    lab.with(|server, now| server.add_user(now, UserConfig::new("berta", "x")));
    let tag = lab.subscribe();
    lab.say(&subscribe_in("sub-2", 1, "", "Expires: 1800\n", ""));
    lab.next_notify();
    let berta = subscribe_in("sub-3", 1, "", "Expires: 1800\n", "")
        .replace("sip:anna@as.test", "sip:berta@as.test");
    lab.say(&berta);
    lab.next_notify();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", &set_dnd(true)));
    lab.pass_ms(100);
    let heard: Vec<_> = lab.notifies()[3..]
        .iter()
        .map(|notify| notify.header("Call-ID").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(heard, ["sub-1", "sub-2"]);
    assert_eq!(lab.server.subscriptions("anna").len(), 2);
    assert_eq!(lab.server.subscriptions("berta").len(), 1);
}

#[test]
fn a_later_change_is_not_undone_by_an_earlier_notify() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", ""));
    lab.pass_ms(20);
    let service = Service::DoNotDisturb;
    lab.with(|server, now| server.set_service(now, "anna", service, dnd(true), Origin::Portal));
    lab.next_notify();
    let last = lab.next_notify();
    assert!(
        last.body().contains("<doNotDisturbOn>true<"),
        "{}",
        last.text
    );
}

#[test]
fn a_notify_waits_for_the_answer_to_the_one_before() {
    let mut lab = Lab::new();
    lab.subscribe();
    let service = Service::DoNotDisturb;
    for active in [true, false] {
        lab.with(|server, now| {
            server.set_service(now, "anna", service, dnd(active), Origin::Portal)
        });
    }
    assert_eq!(lab.notifies().len(), 2);
    let first = lab.notifies().remove(1);
    lab.answer_notify(&first, "200 OK");
    assert_eq!(lab.notifies().len(), 3);
    assert_eq!(lab.notifies()[2].header("CSeq"), Some("103 NOTIFY"));
}

#[test]
fn an_unassigned_service_is_left_out_and_cannot_be_changed() {
    let mut lab = Lab::new();
    let busy = Service::CallForwardingBusy;
    lab.with(|server, now| server.set_assigned(now, "anna", busy, false));
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    let tag = lab.answer().tag("To");
    let notify = lab.next_notify();
    assert_eq!(notify.body().matches("<?xml").count(), 3);
    assert!(!notify.body().contains("forwardBusy"));
    let change = set_forwarding("forwardBusy", true, "1", "");
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", &change));
    let notify = lab.next_notify();
    assert_eq!(notify.body(), "");
    assert_eq!(notify.header("Content-Type"), None);
    let state = lab.server.service("anna", busy).expect("a state");
    assert!(!state.setting.active);
}

#[test]
fn without_any_service_the_notify_has_no_body() {
    let mut lab = Lab::new();
    for service in Service::CALL {
        lab.with(|server, now| server.set_assigned(now, "anna", service, false));
    }
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    let notify = lab.next_notify();
    assert_eq!(notify.header("Content-Length"), Some("0"));
    assert_eq!(notify.header("Content-Type"), None);
}

#[test]
fn a_subscription_of_zero_seconds_ends_with_a_closing_notify() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 0\n", ""));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
    assert_eq!(lab.answer().header("Expires"), Some("0"));
    let notify = lab.next_notify();
    assert_eq!(
        notify.header("Subscription-State"),
        Some("terminated;reason=timeout")
    );
    assert!(lab.server.subscriptions("anna").is_empty());
    lab.say(&subscribe(3, &tag, "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "481");
}

#[test]
fn a_fetch_brings_the_state_once() {
    let mut lab = Lab::new();
    lab.say(&subscribe(1, "", "Expires: 0\n", ""));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
    let notify = lab.next_notify();
    assert_eq!(
        notify.header("Subscription-State"),
        Some("terminated;reason=timeout")
    );
    assert!(notify.body().contains("DoNotDisturbEvent"));
    assert!(lab.server.subscriptions("anna").is_empty());
}

#[test]
fn a_subscription_that_is_not_refreshed_ends_on_time() {
    let mut lab = Lab::new();
    lab.subscribe();
    let granted = Instant::EPOCH + Duration::from_secs(1800);
    lab.pass(granted.since(lab.now) - Duration::from_millis(1));
    assert_eq!(lab.server.subscriptions("anna").len(), 1);
    lab.pass_ms(1);
    let closing = lab.notifies().remove(1);
    assert_eq!(closing.at, Duration::from_secs(1800));
    assert_eq!(
        closing.header("Subscription-State"),
        Some("terminated;reason=timeout")
    );
}

#[test]
fn a_refresh_keeps_the_subscription_alive() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    for cseq in 2..20 {
        lab.pass(Duration::from_secs(1000));
        lab.say(&subscribe(cseq, &tag, "Expires: 1800\n", ""));
        assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
        lab.next_notify();
    }
    assert_eq!(lab.server.subscriptions("anna").len(), 1);
    assert_eq!(lab.server.subscriptions("anna")[0].notify_cseq, 119);
}

#[test]
fn the_lifetime_is_cut_to_the_policy() {
    let mut lab = Lab::new();
    lab.say(&subscribe(1, "", "Expires: 7200\n", ""));
    assert_eq!(lab.answer().header("Expires"), Some("3424"));
    let policy = ExpiresPolicy::at_most(8);
    lab.server
        .set_expires_policy(SITE, Lifetime::Subscription, policy);
    lab.say(&subscribe_in("sub-2", 1, "", "Expires: 1800\n", ""));
    assert_eq!(lab.answer().header("Expires"), Some("8"));
    lab.say(&subscribe_in("sub-3", 1, "", "", ""));
    assert_eq!(lab.answer().header("Expires"), Some("8"));
}

#[test]
fn too_brief_a_subscription_is_refused_with_the_minimum() {
    let mut lab = Lab::new();
    lab.say(&subscribe(1, "", "Expires: 5\n", ""));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 423 Interval Too Brief");
    assert_eq!(lab.answer().header("Min-Expires"), Some("60"));
    assert!(lab.server.subscriptions("anna").is_empty());
}

#[test]
fn other_packages_are_refused_with_those_that_are_known() {
    let mut lab = Lab::new();
    for event in ["presence", "As-Feature-Event", "as-feature-events"] {
        let text = subscribe_in(event, 1, "", "Expires: 1800\n", "");
        lab.say(&text.replace("Event: as-feature-event\n", &format!("Event: {event}\n")));
        assert_eq!(
            lab.answer().first_line(),
            "SIP/2.0 489 Bad Event",
            "{event}"
        );
        let allowed = lab.answer().header("Allow-Events").unwrap_or_default();
        assert!(allowed.contains("as-feature-event"));
    }
    let without = subscribe(9, "", "Expires: 1800\n", "").replace("Event: as-feature-event\n", "");
    lab.say(&without);
    assert_eq!(lab.answer().status(), "489");
}

#[test]
fn the_id_of_the_event_comes_back() {
    let mut lab = Lab::new();
    let text = subscribe(1, "", "Expires: 1800\n", "");
    lab.say(&text.replace(
        "Event: as-feature-event\n",
        "Event: as-feature-event;id=7\n",
    ));
    assert_eq!(
        lab.next_notify().header("Event"),
        Some("as-feature-event;id=7")
    );
}

#[test]
fn an_unknown_dialog_is_481() {
    let mut lab = Lab::new();
    lab.say(&subscribe(1, "nobody", "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "481");
}

#[test]
fn a_number_that_is_not_higher_is_out_of_order() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    lab.say(&subscribe(5, &tag, "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "200");
    lab.next_notify();
    lab.say(&subscribe(4, &tag, "Expires: 1800\n", &set_dnd(true)));
    assert_eq!(lab.answer().status(), "500");
    let state = lab
        .server
        .service("anna", Service::DoNotDisturb)
        .expect("a state");
    assert!(!state.setting.active, "nothing was stored");
}

#[test]
fn a_body_that_cannot_be_read_is_answered_with_the_full_state() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", "<SetDoNotDisturb"));
    assert_eq!(lab.answer().status(), "200");
    assert_eq!(lab.next_notify().body().matches("<?xml").count(), 4);
}

#[test]
fn a_refused_notify_ends_the_subscription() {
    let mut lab = Lab::new();
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    lab.pass_ms(50);
    let notify = lab.notifies().remove(0);
    lab.answer_notify(&notify, "481 Subscription does not exist");
    assert!(lab.server.subscriptions("anna").is_empty());
}

#[test]
fn a_notify_that_nobody_answers_is_sent_eleven_times_and_ends_the_subscription() {
    let mut lab = Lab::new();
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    lab.pass(Duration::from_secs(40));
    assert_eq!(lab.notifies().len(), 11);
    assert!(lab.server.subscriptions("anna").is_empty());
}

#[test]
fn the_server_can_end_a_subscription_with_a_reason() {
    let mut lab = Lab::new();
    lab.subscribe();
    lab.with(|server, now| {
        server.end_subscriptions(
            now,
            SITE,
            &"anna".into(),
            &Ending::because("probation").with_retry_after(60),
        )
    });
    let notify = lab.next_notify();
    assert_eq!(
        notify.header("Subscription-State"),
        Some("terminated;reason=probation;retry-after=60")
    );
    assert!(lab.server.subscriptions("anna").is_empty());
}

#[test]
fn a_forgotten_subscription_gets_481_and_no_notify() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    lab.server.forget_subscriptions(SITE, &"anna".into());
    let service = Service::DoNotDisturb;
    lab.with(|server, now| server.set_service(now, "anna", service, dnd(true), Origin::Portal));
    lab.pass(Duration::from_secs(5));
    assert_eq!(lab.notifies().len(), 1);
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "481");
}

#[test]
fn a_restart_loses_subscriptions_and_bindings_and_keeps_services() {
    let mut lab = Lab::new();
    lab.say(&register(1, "Contact: <sip:anna@127.0.0.2:5060>\n"));
    let tag = lab.subscribe();
    let service = Service::DoNotDisturb;
    lab.with(|server, now| server.set_service(now, "anna", service, dnd(true), Origin::Portal));
    lab.next_notify();
    lab.with(|server, _| server.restart_site(SITE));
    assert!(lab.server.bindings("anna").is_empty());
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "481");
    let state = lab.server.service("anna", service).expect("a state");
    assert!(state.setting.active);
}

#[test]
fn over_tcp_notifies_use_the_connection_and_then_that_of_the_registration() {
    let mut lab = Lab::new();
    lab.transport = Transport::Tcp;
    lab.say_from("127.0.0.2:40000", &subscribe(1, "", "Expires: 1800\n", ""));
    lab.pass_ms(50);
    let first = lab.notifies().remove(0);
    assert_eq!(first.flow, flow(Transport::Tcp, "127.0.0.2:40000"));
    assert!(
        first
            .header("Via")
            .is_some_and(|via| via.starts_with("SIP/2.0/TCP"))
    );
    assert_eq!(
        first.header("Contact"),
        Some("<sip:127.0.0.1:5060;transport=tcp>")
    );
    lab.answer_notify(&first, "200 OK");

    let closed = flow(Transport::Tcp, "127.0.0.2:40000");
    lab.server
        .handle_input(lab.now, Input::FlowClosed { flow: closed });
    lab.drain();
    let contact = "Contact: <sip:anna@127.0.0.2:5060;transport=tcp>\n";
    lab.say_from("127.0.0.2:40001", &register(1, contact));
    let service = Service::DoNotDisturb;
    lab.with(|server, now| server.set_service(now, "anna", service, dnd(true), Origin::Portal));
    let second = lab.notifies().remove(1);
    assert_eq!(second.flow, flow(Transport::Tcp, "127.0.0.2:40001"));
}

#[test]
fn over_udp_notifies_go_to_the_contact() {
    let mut lab = Lab::new();
    let text = subscribe(1, "", "Expires: 1800\n", "");
    lab.say(&text.replace(&format!("<sip:anna@{ANNA}>"), "<sip:anna@127.0.0.2:5070>"));
    lab.pass_ms(50);
    let notify = lab.notifies().remove(0);
    assert_eq!(notify.flow, flow(Transport::Udp, "127.0.0.2:5070"));
    assert_eq!(
        notify.first_line(),
        "NOTIFY sip:anna@127.0.0.2:5070 SIP/2.0"
    );
}

#[test]
fn a_removed_account_loses_its_subscription_with_noresource() {
    let mut lab = Lab::new();
    lab.subscribe();
    lab.with(|server, now| server.remove_user(now, "anna"));
    let notify = lab.next_notify();
    assert_eq!(
        notify.header("Subscription-State"),
        Some("terminated;reason=noresource")
    );
    lab.say(&subscribe_in("sub-2", 1, "", "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "404");
}

#[test]
fn two_servers_with_one_seed_say_the_same() {
    let run = || {
        let mut lab = Lab::with_dialect(Dialect::broadsoft());
        lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
        lab.server.expire_nonces(SITE);
        lab.say(&subscribe(2, "", "Expires: 1800\n", ""));
        lab.sent
            .iter()
            .map(|sent| sent.text.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_fork_goes_its_own_way() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    let mut other = lab.clone();
    other.say(&subscribe(2, &tag, "Expires: 1800\n", &set_dnd(true)));
    let active = |lab: &Lab| {
        let state = lab.server.service("anna", Service::DoNotDisturb);
        state.is_some_and(|state| state.setting.active)
    };
    assert!(active(&other));
    assert!(!active(&lab));
}

#[test]
fn of_ended_connections_only_those_are_kept_that_somebody_may_be_sought_on() {
    let mut lab = Lab::new();
    lab.transport = Transport::Tcp;
    lab.say_from("127.0.0.2:40000", &subscribe(1, "", "Expires: 600\n", ""));
    for port in 40000..40100 {
        let closed = flow(Transport::Tcp, &format!("127.0.0.2:{port}"));
        lab.server
            .handle_input(lab.now, Input::FlowClosed { flow: closed });
    }
    let state = format!("{:?}", lab.server);
    let of_strangers = (40001..40100).filter(|port| state.contains(&format!("127.0.0.2:{port}")));
    assert_eq!(of_strangers.collect::<Vec<_>>(), [40099], "the last alone");
    assert!(state.contains("127.0.0.2:40000"));
}
