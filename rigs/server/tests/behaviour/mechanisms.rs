//! What a dialect says of its mechanisms, as the server and a bench read it.

use server::Dialect;
use server::Mechanism::{Csta, FeatureCodes, SubscribeNotify};
use server::dialect::BROADSOFT;
use sip::service::Service;

const NO_CODE: &str =
    "busy-code = { value = 486, claim = \"assumed\", source = \"I:fusionpbx#5864\" }\n";

fn dialect(text: &str) -> Dialect {
    Dialect::from_toml(text, "lab.toml").expect("sound")
}

fn refused(from: &str, to: &str) -> String {
    assert!(BROADSOFT.contains(from), "`{from}` stands in the file");
    let text = BROADSOFT.replacen(from, to, 1);
    let error = Dialect::from_toml(&text, "lab.toml").expect_err("the change is an error");
    format!("{}: {}", error.key, error.problem)
}

#[test]
fn a_mechanism_is_offered_when_the_file_has_it() {
    let broadsoft = Dialect::broadsoft();
    let offered = [Csta, FeatureCodes, SubscribeNotify].map(|it| broadsoft.offers(it));
    assert_eq!(offered, [false, true, true]);
    let csta = "[mechanism.csta.gate]\n\
                parameter = { value = \"CSTA_IsActive\", claim = \"documented\", source = \"U3\" }\n\
                on = { value = \"1\", claim = \"documented\", source = \"U3\" }\n";
    let dialect = dialect(&format!("{BROADSOFT}\n{csta}"));
    assert!(dialect.offers(Csta));
    let gate = dialect.gate(Csta).expect("a gate");
    assert_eq!(gate.parameter.value, "CSTA_IsActive");
}

#[test]
fn the_gate_of_a_mechanism_names_its_parameter_and_the_value_that_switches_it_on() {
    let broadsoft = Dialect::broadsoft();
    let gate = broadsoft.gate(SubscribeNotify).expect("a gate");
    let switched = (gate.parameter.value.as_str(), gate.on.value.as_str());
    assert_eq!(switched, ("FeatureKeySyncActive", "1"));
    assert_eq!(broadsoft.gate(FeatureCodes), None, "a code is just dialled");
    assert_eq!(broadsoft.gate(Csta), None);
}

#[test]
fn what_is_dialled_follows_from_the_service_and_the_direction() {
    let broadsoft = Dialect::broadsoft();
    for (service, active, number, digits) in [
        (Service::DoNotDisturb, true, None, Some("*78")),
        (Service::DoNotDisturb, false, None, Some("*79")),
        (
            Service::CallForwardingAlways,
            true,
            Some("2424"),
            Some("*722424"),
        ),
        (
            Service::CallForwardingAlways,
            false,
            Some("2424"),
            Some("*73"),
        ),
        (Service::AgentState, true, None, None),
    ] {
        let dialled = broadsoft.dialled(service, active, number);
        assert_eq!(dialled.as_deref(), digits, "{service}");
    }
    let mut without = broadsoft;
    without.mechanism.feature_codes = None;
    assert_eq!(without.dialled(Service::DoNotDisturb, true, None), None);
}

#[test]
fn digits_that_would_mean_something_else_are_not_dialled() {
    let always = Service::CallForwardingAlways;
    let without_number = dialect(&BROADSOFT.replacen("*72{number}", "*72", 1));
    assert_eq!(without_number.dialled(always, true, Some("2424")), None);
    let stored = without_number.dialled(always, true, None);
    assert_eq!(stored.as_deref(), Some("*72"));

    let shadowed = dialect(&BROADSOFT.replacen("*90{number}", "*7{number}", 1));
    let busy = |number| shadowed.dialled(Service::CallForwardingBusy, true, Some(number));
    assert_eq!(busy("2424"), None, "*72 forwards always, to 424");
    assert_eq!(busy("3"), None, "*73 switches that off");
    assert_eq!(busy("4242").as_deref(), Some("*74242"));
    assert_eq!(busy("*31"), None, "nobody can dial that behind a code");
}

#[test]
fn wrong_codes_are_refused_with_their_key() {
    let code = "mechanism.feature-codes.code";
    for (from, to, wanted) in [
        (
            "\"*78\"",
            "\"*78{number}\"",
            format!("{code}.do-not-disturb.activate: takes a number"),
        ),
        (
            "\"*73\"",
            "\"*73{number}\"",
            format!("{code}.call-forwarding-always.deactivate: takes a number"),
        ),
        (
            "\"*78\"",
            "\"*78x\"",
            format!("{code}.do-not-disturb.activate"),
        ),
        (
            "\"*78\"",
            "\"*79\"",
            format!("{code}.do-not-disturb.deactivate: cannot be told"),
        ),
        (
            "*90{number}",
            "*72{number}",
            format!("{code}.call-forwarding-busy.activate: cannot be told"),
        ),
        (
            "deactivate = { value = \"*79\", claim = \"assumed\", source = \"INFERRED\" }\n",
            "",
            format!("{code}.do-not-disturb: needs either"),
        ),
        (NO_CODE, "", "mechanism.feature-codes.call".to_owned()),
        (
            "code.do-not-disturb",
            "code.do-not-distrub",
            format!("{code}.do-not-distrub"),
        ),
    ] {
        let error = refused(from, to);
        assert!(error.starts_with(&wanted), "{from} -> {to}: {error}");
    }
}

#[test]
fn a_code_that_toggles_needs_no_second_one() {
    let text = BROADSOFT.replacen(
        "deactivate = { value = \"*79\"",
        "toggle = { value = true",
        1,
    );
    let dialect = dialect(&text);
    for active in [true, false] {
        let dialled = dialect.dialled(Service::DoNotDisturb, active, None);
        assert_eq!(dialled.as_deref(), Some("*78"));
    }
}
