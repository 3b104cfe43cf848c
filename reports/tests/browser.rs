//! The page in a browser: what is compressed comes back when a reader asks for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod page;

use page::unpacked;
use reports::html;
use reports::run::Run;
use std::fs;
use std::path::Path;
use std::process::Command;

const PASSED: &str = "ID-BSFT-DND-010@emulated-n870-virtual";
/// What only the details of that case say.
const SAID: &str = "When the portal turns Do Not Disturb on for Anna";

/// What a browser makes of the page behind a link.
fn shown(page: &Path, link: &str) -> String {
    // A budget of virtual time: the browser ends when nothing is left to do.
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg("--virtual-time-budget=10000")
        .arg(format!("file://{}#{link}", page.display()))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_link_to_a_case_that_passed_unpacks_and_opens_it() {
    if Command::new("chromium").arg("--version").output().is_err() {
        println!("skipped: chromium is not installed");
        return;
    }
    let run = Run::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run")).unwrap();
    let mut page = Vec::new();
    html::write(&run, &mut page).unwrap();
    let text = String::from_utf8(page).unwrap();
    assert!(!text.contains(SAID) && unpacked(&text).contains(SAID));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    fs::write(&file, &text).unwrap();
    assert!(!shown(&file, "").contains(SAID));

    let opened = shown(&file, PASSED);
    assert!(opened.contains(SAID), "{opened}");
    let case = opened.split("<details class=\"case\"");
    let case = case
        .into_iter()
        .find(|it| it.starts_with(&format!(" id=\"{PASSED}\"")));
    let head = case.unwrap().split_once('>').unwrap().0;
    assert!(head.contains("open"), "{head}");

    // A link to a message opens the case that has it, too.
    let unpacked = unpacked(&text);
    let message = unpacked.split("<details id=\"c0m").nth(1).unwrap();
    let link = format!("c0m{}", message.split('"').next().unwrap());
    let opened = shown(&file, &link);
    assert!(
        opened.contains(&format!("<details id=\"{link}\" open=\"\">")),
        "{link}"
    );
}
