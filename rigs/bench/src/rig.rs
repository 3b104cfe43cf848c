//! The rig file: what is plugged in where. Data about one bench; what a base of this kind claims is in its profile.
//!
//! Passwords are either written here (the factory password of an emulated base is no secret) or named by an environment
//! variable, which the caller resolves.

mod unit;

use crate::document::{Document, FileError, Section};
use crate::name;
use std::fmt;
use std::path::{Path, PathBuf};
pub use unit::RigUnit;

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
    /// Units beside the base.
    pub further: Vec<RigUnit>,
}

/// A laboratory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

impl Rig {
    /// Reads a rig file.
    ///
    /// # Errors
    /// When it cannot be read or is wrong; the error names file, line and key.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        Self::from_toml(&text, path)
    }

    /// Takes the text of a rig file; `path` is its name in errors and the anchor of the profile's path.
    ///
    /// # Errors
    /// When the text is wrong.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let document = Document::parse(&name, text)?;
        let root = document.root();
        let base = required_section(&root, "base")?;
        let handsets = required_section(&root, "handsets")?;
        let rig = Self {
            name: plain_name(&root)?,
            file: path.to_owned(),
            profile: path
                .parent()
                .unwrap_or_else(|| Path::new(""))
                .join(root.required_text("profile")?),
            dialects: dialects(&root)?,
            labs: labs(&root)?,
            base: base_under_test(&base)?,
            mac: mac(&base)?,
            handsets: ipuis(&handsets)?,
            faces: faces(&handsets)?,
            console: console(&root)?,
            web: web(&root)?,
            further: Vec::new(),
        };
        base.finish()?;
        handsets.finish()?;
        root.finish()?;
        rig.check_faces(&handsets)?;
        rig.check_lines(&root)?;
        Ok(rig)
    }

    /// Each face needs its instrument.
    fn check_faces(&self, handsets: &Section<'_>) -> Result<(), FileError> {
        let is_missing = |face: &&HandsetFace| match face {
            HandsetFace::Console => self.console.is_none(),
            HandsetFace::Web => self.web.is_none(),
        };
        self.faces.iter().find(is_missing).map_or(Ok(()), |face| {
            let problem = format!("has \"{face}\" but the rig has no [{face}] section");
            Err(handsets.error("faces", &problem))
        })
    }

    /// An emulated base brings its own console and web interface; a real one has neither.
    fn check_lines(&self, root: &Section<'_>) -> Result<(), FileError> {
        let emulated = matches!(self.base, BaseUnderTest::Emulated { .. });
        let console = self.console.as_ref().map(|console| &console.port);
        let web = self.web.as_ref().map(|web| &web.url);
        for (section, key, place) in [("console", "port", console), ("web", "url", web)] {
            if place.is_none_or(|place| (place == "emulated") == emulated) {
                continue;
            }
            let problem = if emulated {
                "must be \"emulated\", as the base is"
            } else {
                "is \"emulated\" but the base is a real one"
            };
            let wrong = root.section(section)?;
            return Err(wrong.map_or_else(
                || root.error(section, problem),
                |wrong| wrong.error(key, problem),
            ));
        }
        Ok(())
    }
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> FileError {
    FileError {
        file: path.display().to_string(),
        line: 1,
        key: String::new(),
        problem: format!("cannot be read: {error}"),
    }
}

/// The name stands in the names of evidence files.
fn required_section<'d>(root: &Section<'d>, key: &'static str) -> Result<Section<'d>, FileError> {
    root.section(key)?
        .ok_or_else(|| root.error(key, "this section is missing"))
}

fn labs(root: &Section<'_>) -> Result<Vec<LabKind>, FileError> {
    let Some(names) = root.texts("labs")? else {
        return Ok(vec![LabKind::Virtual, LabKind::Wire]);
    };
    let lab = |name: &&str| match *name {
        "virtual" => Ok(LabKind::Virtual),
        "wire" => Ok(LabKind::Wire),
        other => {
            let problem = format!("\"{other}\" is no laboratory; there are virtual and wire");
            Err(root.error("labs", &problem))
        }
    };
    names.iter().map(lab).collect()
}

fn base_under_test(base: &Section<'_>) -> Result<BaseUnderTest, FileError> {
    match (base.text("emulated")?, base.text("address")?) {
        (Some(model), None) => Ok(BaseUnderTest::Emulated {
            model: model.to_owned(),
        }),
        (None, Some(address)) => Ok(BaseUnderTest::Real {
            address: address.to_owned(),
        }),
        _ => Err(base.error(
            "emulated",
            "exactly one of `emulated` (a model) and `address` (a real base) must be given",
        )),
    }
}

fn mac(base: &Section<'_>) -> Result<String, FileError> {
    let written = base.required_text("mac")?;
    let digits: String = written
        .chars()
        .filter(|c| !matches!(c, ':' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if digits.len() == 12 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(digits)
    } else {
        Err(base.error("mac", "is not 12 hexadecimal digits"))
    }
}

fn ipuis(handsets: &Section<'_>) -> Result<Vec<String>, FileError> {
    let list = handsets
        .texts("ipui")?
        .ok_or_else(|| handsets.error("ipui", "is missing"))?;
    let wrong = list.iter().find(|ipui| {
        ipui.len() != 10
            || !ipui
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, 'a'..='f'))
    });
    if let Some(wrong) = wrong {
        let problem = format!("\"{wrong}\" is not an IPUI: 10 hexadecimal digits in lower case");
        return Err(handsets.error("ipui", &problem));
    }
    if list.is_empty() {
        return Err(handsets.error("ipui", "names no handset"));
    }
    Ok(list.into_iter().map(str::to_owned).collect())
}

fn faces(handsets: &Section<'_>) -> Result<Vec<HandsetFace>, FileError> {
    let words = words(handsets, "faces")?;
    let face = |word: &&str| {
        HandsetFace::from_word(word).ok_or_else(|| {
            let problem = format!("\"{word}\" is no handset face; there are console and web");
            handsets.error("faces", &problem)
        })
    };
    words.iter().map(face).collect()
}

fn dialects(root: &Section<'_>) -> Result<Vec<String>, FileError> {
    let names = words(root, "dialects")?;
    match names.iter().find(|name| !name::fits(name)) {
        Some(odd) => Err(root.error("dialects", &format!("\"{odd}\" {}", name::RULE))),
        None => Ok(names.into_iter().map(str::to_owned).collect()),
    }
}

fn plain_name(root: &Section<'_>) -> Result<String, FileError> {
    let own = root.required_text("name")?;
    if name::fits(own) {
        Ok(own.to_owned())
    } else {
        Err(root.error("name", &format!("\"{own}\" {}", name::RULE)))
    }
}

/// A list of words that must be there, has at least one, and none twice.
fn words<'d>(section: &Section<'d>, key: &'static str) -> Result<Vec<&'d str>, FileError> {
    let list = section
        .texts(key)?
        .ok_or_else(|| section.error(key, "is missing"))?;
    if list.is_empty() {
        return Err(section.error(key, "names nothing"));
    }
    let twice = list
        .iter()
        .enumerate()
        .find(|(at, word)| list.iter().take(*at).any(|earlier| earlier == *word));
    match twice {
        Some((_, word)) => Err(section.error(key, &format!("names \"{word}\" twice"))),
        None => Ok(list),
    }
}

fn console(root: &Section<'_>) -> Result<Option<ConsolePort>, FileError> {
    let Some(section) = root.section("console")? else {
        return Ok(None);
    };
    let port = ConsolePort {
        port: section.required_text("port")?.to_owned(),
        account: login(&section)?,
    };
    section.finish()?;
    Ok(Some(port))
}

fn web(root: &Section<'_>) -> Result<Option<WebAccess>, FileError> {
    let Some(section) = root.section("web")? else {
        return Ok(None);
    };
    let access = WebAccess {
        url: section.required_text("url")?.to_owned(),
        account: login(&section)?,
    };
    section.finish()?;
    Ok(Some(access))
}

fn login(section: &Section<'_>) -> Result<Login, FileError> {
    let password = match (section.text("password")?, section.text("password-env")?) {
        (Some(text), None) => Secret::Written(text.to_owned()),
        (None, Some(name)) => Secret::Environment(name.to_owned()),
        _ => {
            return Err(section.error(
                "password",
                "exactly one of `password` and `password-env` must be given",
            ));
        }
    };
    Ok(Login {
        username: section.required_text("username")?.to_owned(),
        password,
    })
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
    fn a_typo_names_file_line_key_and_the_right_word() {
        let text = RIG.replace("dialects =", "dialekts =");
        assert!(
            error(&text).contains("dialects: is missing"),
            "{}",
            error(&text)
        );
        let text = RIG.replace("[console]", "[console]\nbautrate = 3");
        assert!(error(&text).starts_with("rigs/x.toml:"));
        assert!(error(&text).contains("console.bautrate: unknown key"));
        let text = RIG.replace("mac =", "make = 1\nmac =");
        assert!(error(&text).ends_with("base.make: unknown key; did you mean `mac`?"));
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
                "[\"console\", \"web\"]",
                "[\"consle\"]",
                "handsets.faces: \"consle\" is no handset face; there are console and web",
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
            assert!(told.contains("becomes part of file names"), "{told}");
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
