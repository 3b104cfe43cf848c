//! The rig file: what is plugged in where. Data about one bench; what a base of this kind claims is in its profile.
//!
//! Passwords are either written here (the factory password of an emulated base is no secret) or named by an environment
//! variable, which the caller resolves.

mod unit;

use document::{Document, FileError};
use evidence::identifier::Identifier;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};
pub use unit::RigUnit;
use unit::UnitSection;

/// One bench.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rig {
    /// Its name, for reports and `--rig`.
    pub name: String,
    /// The file it was read from.
    pub file: PathBuf,
    /// The profile's file.
    pub profile: PathBuf,
    /// The names of the dialects that the application server can speak here. The first one that offers a mechanism is
    /// the reference for it. Never empty, and no name twice.
    pub dialects: Vec<String>,
    /// In which laboratories it works.
    pub labs: Vec<LabKind>,
    /// The base.
    pub base: BaseUnderTest,
    /// The base's MAC address: 12 hexadecimal digits, lower case.
    pub mac: String,
    /// The IPUIs of the handsets that are paired with it.
    pub handsets: Vec<String>,
    /// How handsets can be worked and read; the first one is the usual one. Never empty, and none twice.
    pub faces: Vec<HandsetFace>,
    /// The serial console, if one is plugged in.
    pub console: Option<ConsolePort>,
    /// The web interface, if it may be used.
    pub web: Option<WebAccess>,
    /// Units beside the base. No two units share a name, a MAC address or a handset.
    pub further: Vec<RigUnit>,
}

/// A laboratory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabKind {
    /// In memory, on lab time.
    Virtual,
    /// On real sockets and lines, on wall time.
    Wire,
}

impl fmt::Display for LabKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Virtual => "virtual",
            Self::Wire => "wire",
        })
    }
}

/// What stands on the bench.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseUnderTest {
    /// An emulated base of this model.
    Emulated {
        /// The model's name.
        model: String,
    },
    /// A real base at this address.
    Real {
        /// Host name or IP address.
        address: String,
    },
}

/// How handsets are worked and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandsetFace {
    /// Commands on the base's serial console.
    Console,
    /// The base's web interface.
    Web,
}

impl HandsetFace {
    /// Every face that a rig file can name.
    pub const ALL: [Self; 2] = [Self::Console, Self::Web];

    /// The face of this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|face| face.as_str() == word)
    }

    /// Its name in rig files and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Web => "web",
        }
    }
}

impl fmt::Display for HandsetFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the serial console is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsolePort {
    /// `emulated`, a device path, or `tcp://host:port`.
    pub port: String,
    /// Who logs in.
    pub account: Login,
}

/// How the web interface is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAccess {
    /// `emulated`, or the URL of the base.
    pub url: String,
    /// Who logs in.
    pub account: Login,
}

/// An administrator's account. Its password is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Where a password comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// It is written in the rig file.
    Written(String),
    /// It is in this environment variable.
    Environment(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.username)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

impl Secret {
    /// The password; `environment` looks a variable up.
    #[must_use]
    pub fn reveal(&self, environment: impl FnOnce(&str) -> Option<String>) -> Option<String> {
        match self {
            Self::Written(text) => Some(text.clone()),
            Self::Environment(name) => environment(name),
        }
    }
}

/// The shape of a rig file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    name: String,
    profile: PathBuf,
    dialects: Vec<String>,
    #[serde(default = "every_lab")]
    labs: Vec<LabKind>,
    base: BaseSection,
    handsets: HandsetSection,
    console: Option<ConsoleSection>,
    web: Option<WebSection>,
    #[serde(default)]
    unit: Vec<UnitSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct BaseSection {
    emulated: Option<String>,
    address: Option<String>,
    mac: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct HandsetSection {
    ipui: Vec<String>,
    faces: Vec<HandsetFace>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConsoleSection {
    port: String,
    username: String,
    password: Option<String>,
    password_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WebSection {
    url: String,
    username: String,
    password: Option<String>,
    password_env: Option<String>,
}

fn every_lab() -> Vec<LabKind> {
    vec![LabKind::Virtual, LabKind::Wire]
}

impl Rig {
    /// Reads a rig file.
    ///
    /// # Errors
    /// When it cannot be read or is wrong; the error names file, line and key.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| FileError::unreadable(path, &error))?;
        Self::from_toml(&text, path)
    }

    /// Takes the text of a rig file; `path` is its name in errors and the anchor of the profile's path.
    ///
    /// # Errors
    /// When the text is wrong.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, FileError> {
        let document = Document::from_toml(text, &path.display().to_string())?;
        let file: File = document.read()?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let rig = Self {
            name: plain_name(&document, "name", file.name)?,
            file: path.to_owned(),
            profile: folder.join(file.profile),
            dialects: dialects(&document, file.dialects)?,
            labs: file.labs,
            mac: mac(&document, "base.mac", &file.base.mac)?,
            base: base_under_test(&document, "base", file.base.emulated, file.base.address)?,
            handsets: ipuis(&document, "handsets.ipui", file.handsets.ipui)?,
            faces: distinct(&document, "handsets.faces", file.handsets.faces)?,
            console: file.console.map(|c| console(&document, c)).transpose()?,
            web: file.web.map(|w| web(&document, w)).transpose()?,
            further: Vec::new(),
        };
        let further = unit::further(&document, &rig, file.unit)?;
        let rig = Self { further, ..rig };
        rig.check_faces(&document)?;
        for (number, unit) in rig.units().iter().enumerate() {
            check_lines(&document, number, unit)?;
        }
        rig.check_distinct(&document)?;
        Ok(rig)
    }
}

/// An emulated base brings its own console and web interface; a real one has neither.
fn check_lines(document: &Document, number: usize, unit: &RigUnit) -> Result<(), FileError> {
    let emulated = matches!(unit.base, BaseUnderTest::Emulated { .. });
    let console = unit.console.as_ref().map(|console| &console.port);
    let web = unit.web.as_ref().map(|web| &web.url);
    for (key, place) in [("console.port", console), ("web.url", web)] {
        if place.is_none_or(|place| (place == "emulated") == emulated) {
            continue;
        }
        let problem = if emulated {
            "must be \"emulated\", as the base is"
        } else {
            "is \"emulated\" but the base is a real one"
        };
        return Err(document.error(&unit::key_of(number, key), problem));
    }
    Ok(())
}

fn base_under_test(
    document: &Document,
    key: &str,
    emulated: Option<String>,
    address: Option<String>,
) -> Result<BaseUnderTest, FileError> {
    match (emulated, address) {
        (Some(model), None) => Ok(BaseUnderTest::Emulated { model }),
        (None, Some(address)) => Ok(BaseUnderTest::Real { address }),
        _ => Err(document.error(
            &format!("{key}.emulated"),
            "exactly one of `emulated` (a model) and `address` (a real base) must be given",
        )),
    }
}

fn mac(document: &Document, key: &str, written: &str) -> Result<String, FileError> {
    let digits: String = written
        .chars()
        .filter(|c| !matches!(c, ':' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if digits.len() == 12 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(digits)
    } else {
        Err(document.error(key, "is not 12 hexadecimal digits"))
    }
}

fn ipuis(document: &Document, key: &str, list: Vec<String>) -> Result<Vec<String>, FileError> {
    let hexadecimal = |c: char| c.is_ascii_digit() || matches!(c, 'a'..='f');
    let is_ipui = |ipui: &String| ipui.len() == 10 && ipui.chars().all(hexadecimal);
    if let Some(wrong) = list.iter().find(|ipui| !is_ipui(ipui)) {
        let problem = format!("\"{wrong}\" is not an IPUI: 10 hexadecimal digits in lower case");
        return Err(document.error(key, problem));
    }
    if list.is_empty() {
        return Err(document.error(key, "names no handset"));
    }
    distinct(document, key, list)
}

fn dialects(document: &Document, names: Vec<String>) -> Result<Vec<String>, FileError> {
    for name in &names {
        Identifier::part(name).map_err(|error| document.error("dialects", error.to_string()))?;
    }
    distinct(document, "dialects", names)
}

fn plain_name(document: &Document, key: &str, own: String) -> Result<String, FileError> {
    Identifier::part(own)
        .map(String::from)
        .map_err(|error| document.error(key, error.to_string()))
}

/// A list that has at least one word, and none twice.
fn distinct<T: PartialEq + fmt::Display>(
    document: &Document,
    key: &str,
    list: Vec<T>,
) -> Result<Vec<T>, FileError> {
    if list.is_empty() {
        return Err(document.error(key, "names nothing"));
    }
    let mut each = list.iter().enumerate();
    let twice = each.find(|(at, word)| list.iter().take(*at).any(|earlier| earlier == *word));
    match twice {
        Some((_, word)) => Err(document.error(key, format!("names \"{word}\" twice"))),
        None => Ok(list),
    }
}

fn console(document: &Document, section: ConsoleSection) -> Result<ConsolePort, FileError> {
    let password = secret(document, "console", section.password, section.password_env)?;
    Ok(ConsolePort {
        port: section.port,
        account: Login {
            username: section.username,
            password,
        },
    })
}

fn web(document: &Document, section: WebSection) -> Result<WebAccess, FileError> {
    let password = secret(document, "web", section.password, section.password_env)?;
    Ok(WebAccess {
        url: section.url,
        account: Login {
            username: section.username,
            password,
        },
    })
}

fn secret(
    document: &Document,
    section: &str,
    written: Option<String>,
    environment: Option<String>,
) -> Result<Secret, FileError> {
    match (written, environment) {
        (Some(text), None) => Ok(Secret::Written(text)),
        (None, Some(name)) => Ok(Secret::Environment(name)),
        _ => Err(document.error(
            &format!("{section}.password"),
            "exactly one of `password` and `password-env` must be given",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIG: &str = include_str!("../../emulated-n870.toml");

    fn error(text: &str) -> String {
        Rig::from_toml(text, Path::new("rigs/x.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_emulated_rig_is_right() {
        let rig = Rig::from_toml(RIG, Path::new("rigs/emulated-n870.toml")).unwrap();
        assert_eq!(rig.faces, [HandsetFace::Console, HandsetFace::Web]);
        assert_eq!(rig.dialects, ["broadsoft"]);
        assert_eq!(rig.profile, Path::new("rigs/profiles/n870.toml"));
    }

    #[test]
    fn what_is_wrong_in_the_shipped_file_is_named_at_its_line() {
        // What is changed, into what, a text on the line that is named, and what is said.
        for (from, to, at, complaint) in [
            (
                "dialects =",
                "dialekts =",
                "dialekts",
                "dialekts: unknown key; did you mean `dialects`?",
            ),
            (
                "port =",
                "prot =",
                "prot =",
                "console.prot: unknown key; did you mean `port`?",
            ),
            (
                "mac =",
                "make = 1\nmac =",
                "make",
                "base.make: unknown key; did you mean `mac`?",
            ),
            ("name =", "# name =", "# An", "name: is missing"),
            ("mac =", "# mac =", "[base]", "base.mac: is missing"),
            (
                "[base]",
                "[bases]",
                "[bases]",
                "bases: unknown key; did you mean `base`?",
            ),
            (
                "labs = [\"virtual\", \"wire\"]",
                "labs = \"wire\"",
                "labs",
                "labs: is the string \"wire\" but must be a list",
            ),
            (
                "\"wire\"]",
                "\"wired\"]",
                "labs",
                "labs[1]: unknown word \"wired\"; did you mean `wire`?",
            ),
            (
                "faces = [\"console\"",
                "faces = [\"consol\"",
                "faces =",
                "handsets.faces[0]: unknown word \"consol\"; did you mean `console`?",
            ),
            (
                "username =",
                "port = \"x\"\nusername =",
                "port = \"x\"",
                "console.port: duplicate key",
            ),
        ] {
            assert!(RIG.contains(from), "{from}");
            let text = RIG.replacen(from, to, 1);
            let line = 1 + text.lines().position(|line| line.contains(at)).unwrap();
            assert_eq!(error(&text), format!("rigs/x.toml:{line}: {complaint}"));
        }
        let text = RIG.replace("[console]", "[console");
        let line = 1 + text.lines().position(|line| line == "[console").unwrap();
        assert!(error(&text).starts_with(&format!("rigs/x.toml:{line}: is not TOML")));
    }

    #[test]
    fn a_list_of_faces_or_dialects_names_each_once() {
        let rows = [
            (
                "[\"console\", \"web\"]",
                "[]",
                "handsets.faces: names nothing",
            ),
            (
                "[\"console\", \"web\"]",
                "[\"web\", \"web\"]",
                "handsets.faces: names \"web\" twice",
            ),
            (
                "[\"broadsoft\"]",
                "[\"broadsoft\", \"broadsoft\"]",
                "dialects: names \"broadsoft\" twice",
            ),
        ];
        for (right, wrong, complaint) in rows {
            let told = error(&RIG.replace(right, wrong));
            assert!(told.ends_with(complaint), "{told}");
        }
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        for (right, wrong, key) in [
            ("\"emulated-n870\"", "\"../n870\"", "name"),
            ("\"emulated-n870\"", "\".n870\"", "name"),
            ("[\"broadsoft\"]", "[\"a/broadsoft\"]", "dialects"),
        ] {
            let told = error(&RIG.replace(right, wrong));
            assert!(told.contains(&format!(" {key}: ")), "{told}");
            assert!(told.contains("cannot name a file"), "{told}");
        }
    }

    #[test]
    fn an_ipui_in_upper_case_is_refused() {
        let text = RIG.replace("029e74a599", "029E74A599");
        assert!(error(&text).contains("handsets.ipui: \"029E74A599\" is not an IPUI"));
    }

    #[test]
    fn a_face_needs_its_instrument() {
        let text = RIG.replace("[web]\nurl = \"emulated\"\nusername = \"admin\"", "#");
        assert!(text.contains("[console]") && !text.contains("[web]"));
        let text = text.replace("#\npassword", "# password");
        assert!(error(&text).ends_with("has \"web\" but the rig has no [web] section"));
    }

    #[test]
    fn an_emulated_base_has_no_real_console() {
        let text = RIG.replace("port = \"emulated\"", "port = \"/dev/ttyUSB0\"");
        assert!(error(&text).ends_with("console.port: must be \"emulated\", as the base is"));
        let text = RIG.replace("emulated = \"n870\"", "address = \"192.0.2.7\"");
        assert!(error(&text).ends_with("is \"emulated\" but the base is a real one"));
    }

    #[test]
    fn a_password_is_not_shown() {
        let rig = Rig::from_toml(RIG, Path::new("x")).unwrap();
        let shown = format!("{:?}", rig.console.unwrap().account);
        assert_eq!(shown, "Login(admin)");
    }
}
