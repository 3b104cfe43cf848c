//! What a reader says about a wrong file: one shape for TOML and JSON, each complaint with its line, its dotted key and the
//! nearest known word.

use document::{Claim, ClaimStatus, Document, Fact, FileError, from_json, from_toml};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only what is refused matters here")]
struct Bench {
    name: String,
    dialect: String,
    console: Option<Console>,
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    texts: BTreeMap<Word, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only what is refused matters here")]
struct Console {
    port: u16,
    speed: f64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Begin,
    Finish,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only what is refused matters here")]
enum Step {
    Answer { code: u16 },
    Wait { seconds: u32 },
}

fn toml(text: &str) -> String {
    let read: Result<Bench, FileError> = from_toml(text, "x");
    read.expect_err("the text is wrong").to_string()
}

#[test]
fn a_misspelt_key_is_named_before_the_one_that_is_missing_for_it() {
    let text = "name = 'a'\ndialekt = 'b'\n";
    assert_eq!(
        toml(text),
        "x:2: dialekt: unknown key; did you mean `dialect`?"
    );
}

#[test]
fn a_missing_key_is_named_at_its_table() {
    assert_eq!(toml("name = 'a'\n"), "x:1: dialect: is missing");
    let text = "name = 'a'\ndialect = 'b'\n[console]\nport = 7\n";
    assert_eq!(toml(text), "x:3: console.speed: is missing");
}

#[test]
fn a_wrong_value_is_named_with_what_it_must_be() {
    let head = "name = 'a'\ndialect = 'b'\n[console]\nspeed = 9\n";
    for (line, complaint) in [
        (
            "port = 'x'",
            "console.port: is the string \"x\" but must be a whole number from 0 to 65535",
        ),
        (
            "port = 70000",
            "console.port: is the number 70000 but must be a whole number from 0 to 65535",
        ),
        (
            "port = [1]",
            "console.port: is a list but must be a whole number from 0 to 65535",
        ),
        (
            "port = 2026-01-01",
            "console.port: is a date but must be a whole number from 0 to 65535",
        ),
    ] {
        assert_eq!(
            toml(&format!("{head}{line}\n")),
            format!("x:5: {complaint}")
        );
    }
    let text = "name = 'a'\ndialect = 'b'\nconsole = true\n";
    assert_eq!(toml(text), "x:3: console: is true but must be a table");
}

#[test]
fn a_table_that_is_chosen_by_a_word_keeps_its_lines() {
    let head = "name = 'a'\ndialect = 'b'\n[[steps]]\ndo = 'wait'\nseconds = 1\n[[steps]]\n";
    for (rest, complaint) in [
        (
            "do = 'answer'\ncoed = 200",
            "x:8: steps[1].coed: unknown key; did you mean `code`?",
        ),
        (
            "do = 'anwser'\ncode = 200",
            "x:7: steps[1].do: unknown word \"anwser\"; did you mean `answer`?",
        ),
        (
            "do = 'answer'\ncode = 'all'",
            "x:8: steps[1].code: is the string \"all\" but must be a whole number from 0 to 65535",
        ),
        ("do = 'answer'", "x:6: steps[1].code: is missing"),
        ("code = 200", "x:6: steps[1].do: is missing"),
    ] {
        assert_eq!(toml(&format!("{head}{rest}\n")), complaint);
    }
}

#[test]
fn the_keys_of_a_map_are_known_too() {
    let text = "name = 'a'\ndialect = 'b'\n[texts]\nbegin = 'x'\nfinsh = 'y'\n";
    assert_eq!(
        toml(text),
        "x:5: texts.finsh: unknown key; did you mean `finish`?"
    );
}

#[test]
fn json_is_answered_as_toml_is() {
    let text = "{\"name\": \"a\",\n \"dialect\": \"b\",\n \"console\": {\n  \"prot\": 7}}";
    let read: Result<Bench, FileError> = from_json(text, "x");
    assert_eq!(
        read.unwrap_err().to_string(),
        "x:4: console.prot: unknown key; did you mean `port`?"
    );
    let read: Result<Bench, FileError> = from_json("{\"name\": \"a\",\n \"name\": \"b\"}", "x");
    assert_eq!(read.unwrap_err().to_string(), "x:2: name: duplicate key");
}

const CLAIMS: &str = "\
name = 'a'
[limits]
claim = 'documented'
source = 'A'
handsets = 250
rings = { value = 9, source = 'B' }
words = ['x', 'y']
[limits.wire]
claim = 'assumed'
t1 = 500
[services]
agent = { value = 'no', claim = 'no', source = 'C' }
";

fn claims(text: &str) -> Result<Vec<Claim>, FileError> {
    Document::from_toml(text, "x")?
        .with_inherited_claims()?
        .claims()
}

#[test]
fn a_claim_holds_for_all_below_until_something_says_otherwise() {
    let lines: Vec<String> = claims(CLAIMS)
        .unwrap()
        .into_iter()
        .map(|c| format!("{} {}={} {} {}", c.line, c.key, c.value, c.claim, c.source))
        .collect();
    assert_eq!(
        lines,
        [
            "5 limits.handsets=250 documented A",
            "6 limits.rings=9 documented B",
            "7 limits.words=x > y documented A",
            "10 limits.wire.t1=500 assumed A",
            "12 services.agent=no no C",
        ]
    );
}

#[test]
fn what_is_claimed_wrongly_is_named() {
    for (from, to, complaint) in [
        (
            "claim = 'assumed'",
            "claim = 'asumed'",
            "x:9: limits.wire.claim: unknown word \"asumed\"; did you mean `assumed`?",
        ),
        (
            "claim = 'no', source = 'C'",
            "claim = 'no', sorce = 'C'",
            "x:12: services.agent.sorce: unknown key; did you mean `source`?",
        ),
        (
            ", source = 'C'",
            "",
            "x:12: services.agent.source: is missing",
        ),
        (
            "claim = 'no'",
            "claim = true",
            "x:12: services.agent.claim: is true but must be one of assumed, documented, no",
        ),
        (
            "value = 'no', ",
            "",
            "x:12: services.agent.value: is missing",
        ),
    ] {
        assert!(CLAIMS.contains(from), "{from}");
        let wrong = claims(&CLAIMS.replacen(from, to, 1)).unwrap_err();
        assert_eq!(wrong.to_string(), complaint);
    }
}

#[test]
fn what_has_no_claim_is_listed_apart() {
    let text = CLAIMS.replace("claim = 'documented'\n", "");
    let document = Document::from_toml(&text, "x").unwrap();
    let document = document.with_inherited_claims().unwrap();
    assert_eq!(
        document.unclaimed(),
        ["name", "limits.handsets", "limits.words"]
    );
}

#[test]
fn a_fact_is_read_however_it_was_written() {
    #[derive(Deserialize)]
    struct File {
        limits: BTreeMap<String, Fact<u32>>,
    }
    let text = "[limits]\nclaim = 'assumed'\nsource = 'A'\na = 1\nb = { value = 2, claim = 'documented' }\n";
    let document = Document::from_toml(text, "x").unwrap();
    let document = document.with_inherited_claims().unwrap();
    let file: File = document.read().unwrap();
    assert_eq!((file.limits["a"].value, file.limits["b"].value), (1, 2));
    assert_eq!(file.limits["b"].claim, ClaimStatus::Documented);
    assert_eq!(document.read_at::<u32>("limits.a").unwrap(), 1);
    let wrong = document.read_at::<String>("limits.b").unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "x:5: limits.b: is the number 2 but must be a string in quotes"
    );
}

#[test]
fn a_complaint_of_the_owner_stands_at_the_line_of_its_key() {
    let text = "a = 1\n[b]\nc = [\n 1,\n 2]\n";
    let document = Document::from_toml(text, "x").unwrap();
    let lines = ["a", "b.c[1]", "b.d.e", "z"].map(|key| document.error(key, "no").line);
    assert_eq!(lines, [1, 5, 2, 1]);
}
