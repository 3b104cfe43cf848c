//! The cover on rigs and features made up for it, and the size of the plan that this project ships.

use super::configuration::Vendors;
use super::scenario::{self, Scenario};
use super::*;
use server::dialect::Mechanism;
use std::fs;

const NEEDS_ALL: &str = "@mechanism-subscribe-notify";

/// A rig of this name with these dialects and faces.
fn rig(name: &str, dialects: &[&str], faces: &[&str]) -> Arc<Rig> {
    let text = format!(
        "name = \"{name}\"\nprofile = \"p.toml\"\ndialects = {dialects:?}\n\
         [base]\nemulated = \"n870\"\nmac = \"7c2f80e0d605\"\n\
         [handsets]\nipui = [\"029e74a599\"]\nfaces = {faces:?}\n\
         [console]\nport = \"emulated\"\nusername = \"a\"\npassword = \"a\"\n\
         [web]\nurl = \"emulated\"\nusername = \"a\"\npassword = \"a\"\n"
    );
    Arc::new(Rig::from_toml(&text, Path::new("rigs/made-up.toml")).unwrap())
}

/// Two devices, three dialects, two faces.
fn rigs() -> Vec<Arc<Rig>> {
    let dialects = ["codes", "keys", "both"];
    vec![
        rig("n870", &dialects, &["console", "web"]),
        rig("n610", &dialects, &["console", "web"]),
    ]
}

fn vendors() -> Vendors {
    let (codes, keys) = (Mechanism::FeatureCodes, Mechanism::SubscribeNotify);
    let offers: BTreeMap<String, BTreeSet<Mechanism>> = [
        ("codes".to_owned(), [codes].into()),
        ("keys".to_owned(), [keys].into()),
        ("both".to_owned(), [codes, keys].into()),
    ]
    .into();
    Vendors {
        known: offers.keys().cloned().collect(),
        offers,
    }
}

/// Scenarios with these tags, named `ID-<number>`.
fn scenarios(tags: &[&str]) -> Vec<Arc<Scenario>> {
    let mut text = "Feature: F\n".to_owned();
    for (number, tags) in tags.iter().enumerate() {
        text.push_str(&format!(
            "  @ID-{number} {tags}\n  Scenario: S\n    Given a\n"
        ));
    }
    read(&text).unwrap()
}

fn read(text: &str) -> Result<Vec<Arc<Scenario>>, PlanError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.feature");
    fs::write(&file, text).unwrap();
    scenario::read_all(&file, &vendors().known)
}

fn plan_by(tags: &[&str], selection: &Selection, rules: &[Rule]) -> Plan {
    Plan::choose(scenarios(tags), &rigs(), &vendors(), selection, rules).unwrap()
}

fn plan(tags: &[&str], selection: &Selection) -> Plan {
    plan_by(tags, selection, &RULES)
}

fn only(lab: LabKind) -> Selection {
    Selection {
        labs: vec![lab],
        ..Selection::default()
    }
}

fn running(plan: &Plan) -> Vec<&str> {
    let cases = plan.cases.iter();
    let running = cases.filter(|case| case.decision == Decision::Run);
    running.map(|case| case.id.as_str()).collect()
}

/// What the cover lacks of one scenario's cases, or of all of them together.
fn missing(plan: &Plan, of: &str, dialects: &[&str]) -> Vec<String> {
    let cases = || {
        let all = plan.cases.iter();
        all.filter(move |case| case.decision == Decision::Run && case.scenario.id.contains(of))
    };
    let mut missing = Vec::new();
    let is_reference = |case: &&Case| {
        let on = &case.configuration;
        on.rig.name == "n870" && on.face == HandsetFace::Console && on.dialect == dialects[0]
    };
    if !cases().any(|case| is_reference(&case)) {
        missing.push("reference".to_owned());
    }
    let others = || cases().filter(|case| !is_reference(case));
    for dialect in &dialects[1..] {
        if !others().any(|case| case.configuration.dialect == *dialect) {
            missing.push((*dialect).to_owned());
        }
    }
    if !others().any(|case| case.configuration.rig.name == "n610") {
        missing.push("n610".to_owned());
    }
    let on_first = |case: &Case| case.configuration.rig.name == "n870";
    if !others().any(|case| on_first(case) && case.configuration.face == HandsetFace::Web) {
        missing.push("web".to_owned());
    }
    missing
}

/// Two scenarios of one mechanism, with their dialects in the order of the rigs, the reference first.
const KEYS: [&str; 2] = ["keys", "both"];

#[test]
fn a_scenario_runs_on_its_reference_and_once_for_each_other_value() {
    let plan = plan(&[NEEDS_ALL], &only(LabKind::Virtual));
    assert_eq!(missing(&plan, "ID-0", &KEYS), [""; 0]);
    assert_eq!(
        running(&plan),
        [
            "ID-0@n870-virtual",
            "ID-0@n870-both-virtual",
            "ID-0@n870-web-virtual",
            "ID-0@n610-virtual",
        ]
    );
}

#[test]
fn a_scenario_that_needs_no_mechanism_has_the_first_dialect_as_reference() {
    let plan = plan(&[""], &only(LabKind::Virtual));
    assert_eq!(missing(&plan, "ID-0", &["codes", "keys", "both"]), [""; 0]);
    assert_eq!(running(&plan).len(), 5);
}

#[test]
fn a_scenario_needs_all_its_mechanisms_at_once() {
    let tags = "@mechanism-feature-codes @mechanism-subscribe-notify";
    let plan = plan(&[tags], &only(LabKind::Virtual));
    assert_eq!(missing(&plan, "ID-0", &["both"]), [""; 0]);
    assert_eq!(running(&plan).len(), 3);
}

#[test]
fn a_vendors_own_scenario_meets_no_other_vendor() {
    let plan = plan(&["@vendor-keys @vendor-both"], &only(LabKind::Virtual));
    assert_eq!(missing(&plan, "ID-0", &KEYS), [""; 0]);
    let unfit: Vec<_> = plan
        .cases
        .iter()
        .filter_map(|it| it.decision.reason())
        .collect();
    assert_eq!(
        unfit,
        ["the server is codes, the scenario is about keys and both"]
    );
}

#[test]
fn without_any_of_its_rules_the_cover_has_a_gap() {
    let gaps = [
        (Rule::Reference, "reference"),
        (Rule::EachDialect, "both"),
        (Rule::EachDevice, "n610"),
        (Rule::EachFace, "web"),
    ];
    for (rule, gap) in gaps {
        let others: Vec<Rule> = RULES.into_iter().filter(|other| *other != rule).collect();
        let lacking = plan_by(&[NEEDS_ALL], &only(LabKind::Virtual), &others);
        assert_eq!(missing(&lacking, "ID-0", &KEYS), [gap], "without {rule:?}");
        let tags = ["@wire @mechanism-subscribe-notify"; 2];
        let lacking = plan_by(&tags, &only(LabKind::Wire), &others);
        // Together they meet each value, and each has its reference.
        let mut gaps = missing(&lacking, "ID-", &KEYS);
        let of_one = missing(&lacking, "ID-1", &KEYS).into_iter();
        gaps.extend(of_one.filter(|gap| gap == "reference"));
        let on_wire = running(&lacking);
        assert!(gaps.contains(&gap.to_owned()), "{rule:?}: {on_wire:?}");
    }
    let whole = plan(
        &["@wire @mechanism-subscribe-notify"; 2],
        &only(LabKind::Wire),
    );
    assert_eq!(missing(&whole, "ID-", &KEYS), [""; 0]);
}

#[test]
fn real_time_is_spent_on_references_and_one_case_for_each_other_value() {
    let tags = [
        "@wire @mechanism-subscribe-notify",
        "@mechanism-subscribe-notify",
        "@wire @smoke @mechanism-subscribe-notify",
        "@wire @smoke",
    ];
    let plan = plan(&tags, &only(LabKind::Wire));
    assert_eq!(
        running(&plan),
        [
            "ID-0@n870-wire",
            // The first scenario to try takes what the references leave: the other dialect, face and device.
            "ID-2@n870-wire",
            "ID-2@n870-both-wire",
            "ID-2@n870-web-wire",
            "ID-2@n610-wire",
            // Its reference is another dialect, which is met by that.
            "ID-3@n870-wire",
        ]
    );
}

#[test]
fn without_a_scenario_to_try_first_the_first_that_applies_stands_for_all() {
    let tags = ["@wire @vendor-keys", "@wire", "@wire"];
    let plan = plan(&tags, &only(LabKind::Wire));
    let ids = running(&plan);
    assert!(ids.contains(&"ID-1@n870-both-wire"), "{ids:?}");
    assert!(ids.contains(&"ID-0@n870-web-wire"), "{ids:?}");
    assert!(
        !ids.iter()
            .any(|id| id.starts_with("ID-2@n870-") && *id != "ID-2@n870-wire"),
        "{ids:?}"
    );
}

#[test]
fn a_virtual_scenario_never_comes_on_a_wire() {
    let text = "@wire\nFeature: F\n  @ID-0 @virtual\n  Scenario: S\n    Given a\n  \
                @ID-1\n  Scenario: T\n    Given a\n";
    for extent in [Extent::Cover, Extent::Full] {
        let selection = Selection {
            extent,
            ..only(LabKind::Wire)
        };
        let scenarios = read(text).unwrap();
        let plan = Plan::choose(scenarios, &rigs(), &vendors(), &selection, &RULES).unwrap();
        assert!(plan.cases.iter().all(|case| case.scenario.id == "ID-1"));
        assert!(!plan.cases.is_empty());
    }
}

#[test]
fn the_full_plan_is_the_product() {
    let tags = ["", "@wire @mechanism-subscribe-notify"];
    let full = Selection {
        extent: Extent::Full,
        ..Selection::default()
    };
    let plan = plan(&tags, &full);
    // Two devices, two faces, three dialects; one scenario in one laboratory, the other in both.
    assert_eq!(plan.cases.len(), 12 * 3);
    assert_eq!(plan.counts.all.possible, 12 * 3);
    // Four configurations have a server without feature keys.
    assert_eq!(plan.counts.all.not_applicable, 4 * 2);
    assert_eq!(plan.counts.all.chosen, 12 * 3 - 4 * 2);
    assert_eq!(plan.not_applicable.len(), 4 * 2);
    let ids: BTreeSet<&str> = plan.cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), plan.cases.len());
}

#[test]
fn counts_are_told_for_each_laboratory_dialect_device_and_face() {
    let counts = plan(&[NEEDS_ALL, "@wire"], &Selection::default()).counts;
    let part = |kind, name: &str| counts.parts[&(kind, name.to_owned())];
    assert_eq!(counts.lab(LabKind::Virtual), part("laboratory", "virtual"));
    assert_eq!(part("laboratory", "wire").possible, 12);
    for (kind, name) in [("dialect", "codes"), ("device", "n610"), ("face", "web")] {
        assert!(part(kind, name).chosen > 0, "{kind} {name}");
    }
    assert_eq!(part("dialect", "codes").not_applicable, 4);
    let of_kind = |kind| {
        let parts = counts
            .parts
            .iter()
            .filter(move |((own, _), _)| *own == kind);
        parts.map(|(_, tally)| tally.possible).sum::<usize>()
    };
    for kind in ["laboratory", "dialect", "device", "face"] {
        assert_eq!(of_kind(kind), counts.all.possible, "{kind}");
    }
}

#[test]
fn dialects_and_faces_narrow_what_is_possible_and_change_no_names() {
    let selection = Selection {
        dialects: vec!["both".to_owned()],
        faces: vec![HandsetFace::Web],
        ..only(LabKind::Virtual)
    };
    let plan = plan(&[NEEDS_ALL], &selection);
    assert_eq!(
        running(&plan),
        ["ID-0@n870-web-both-virtual", "ID-0@n610-web-both-virtual"]
    );
    assert_eq!(plan.counts.all.possible, 2);
}

#[test]
fn a_scenario_that_applies_nowhere_says_so_once() {
    let selection = Selection {
        dialects: vec!["codes".to_owned()],
        ..only(LabKind::Virtual)
    };
    let plan = plan(&[NEEDS_ALL], &selection);
    assert_eq!(running(&plan), [""; 0]);
    let told: Vec<_> = plan.cases.iter().map(|it| it.decision.reason()).collect();
    assert_eq!(told, [Some("codes does not offer subscribe-notify")]);
    assert_eq!(plan.not_applicable.len(), 4);
}

#[test]
fn two_cases_of_one_name_are_refused() {
    let rigs = [
        rig("n870", &["keys"], &["console", "web"]),
        rig("n870-web", &["keys"], &["console"]),
    ];
    let found = scenarios(&[""]);
    let full = Selection {
        extent: Extent::Full,
        ..only(LabKind::Virtual)
    };
    let error = Plan::choose(found, &rigs, &vendors(), &full, &RULES).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ID-0@n870-web-virtual would name two cases, on n870 web keys and on n870-web console keys: \
         give a rig another name"
    );
}

#[test]
fn a_wrong_tag_is_refused_with_its_line() {
    let rows = [
        (
            "@wier\nFeature: F\n\n  @ID-0\n  Scenario: S\n    Given a\n",
            1,
        ),
        (
            "Feature: F\n\n  @ID-0\n  @vendor-kees @wire\n  Scenario: S\n    Given a\n",
            4,
        ),
        (
            "Feature: F\n  @ID-0\n  Scenario Outline: S\n    Given <a>\n\n    @smokey\n    \
             Examples:\n      | a |\n      | 1 |\n",
            6,
        ),
        ("Feature: F\n\n  Scenario: S\n    Given a\n", 3),
    ];
    for (text, line) in rows {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(&format!("x.feature:{line}: ")), "{error}");
    }
}

#[test]
fn an_identifier_that_stands_twice_is_refused() {
    let text =
        "Feature: F\n  @ID-0\n  Scenario: S\n    Given a\n  @ID-0\n  Scenario: T\n    Given a\n";
    let error = read(text).unwrap_err().to_string();
    assert!(error.contains("x.feature:6: ID-0 stands at "), "{error}");
}

/// Figures of the project's own: what a gate of twenty minutes can run.
const MOST_VIRTUAL: usize = 6_000;
const MOST_WIRE: usize = 80;

fn shipped(rigs: &[Arc<Rig>], vendors: &Vendors) -> Counts {
    let features = Path::new(env!("CARGO_MANIFEST_DIR")).join("../features");
    let plan = Plan::new(&features, rigs, vendors, &Selection::default());
    plan.unwrap().counts
}

#[test]
fn the_default_plan_stays_within_its_limits() {
    let rig = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rigs/emulated-n870.toml");
    let dialect = ("broadsoft".to_owned(), Mechanism::ALL.into_iter().collect());
    let vendors = Vendors {
        known: ["broadsoft".to_owned()].into(),
        offers: [dialect].into(),
    };
    let counts = shipped(&[Arc::new(Rig::load(&rig).unwrap())], &vendors);
    for lab in [LabKind::Virtual, LabKind::Wire] {
        assert!(counts.lab(lab).chosen > 0, "{lab}");
    }
    assert!(
        counts.lab(LabKind::Virtual).chosen < MOST_VIRTUAL,
        "{counts}"
    );
    assert!(counts.lab(LabKind::Wire).chosen < MOST_WIRE, "{counts}");
}

#[test]
fn six_devices_and_twelve_dialects_do_not_burst_the_default_plan() {
    let dialects: Vec<String> = (1..=12).map(|number| format!("d{number}")).collect();
    let names: Vec<&str> = dialects.iter().map(String::as_str).collect();
    let rigs: Vec<Arc<Rig>> = (1..=6)
        .map(|number| rig(&format!("r{number}"), &names, &["console", "web"]))
        .collect();
    let offers = dialects
        .iter()
        .map(|name| (name.clone(), Mechanism::ALL.into_iter().collect()));
    let vendors = Vendors {
        known: dialects.iter().cloned().collect(),
        offers: offers.collect(),
    };
    let counts = shipped(&rigs, &vendors);
    assert!(counts.all.possible > 10 * MOST_VIRTUAL / 6, "{counts}");
    assert!(
        counts.lab(LabKind::Virtual).chosen < MOST_VIRTUAL,
        "{counts}"
    );
    assert!(counts.lab(LabKind::Wire).chosen < MOST_WIRE, "{counts}");
}

#[test]
fn a_rule_is_refused_because_its_background_and_tags_would_be_lost() {
    let refused = read(
        "Feature: F\n  @REQ-REG-01\n  Rule: R\n    Background:\n      Given b\n\
         \n    @ID-0\n    Scenario: S\n      Given a\n",
    );
    let text = refused.unwrap_err().to_string();
    assert!(
        text.ends_with("x.feature:3: scenarios stand in features, not in a Rule"),
        "{text}"
    );
}
