//! A unit under test as a rig file describes it: a base, or a DECT manager, with the handsets that are paired with it and
//! the lines that lead to it.
//!
//! The rig's own base is the first unit. `[[unit]]` tables name the others; an emulated one has the console and the web
//! interface of the rig's base where it does not say otherwise, because they are of one kind. A real one has no line that
//! is not written down: two bases cannot share a cable.

use super::{
    BaseUnderTest, ConsolePort, HandsetFace, Login, Rig, WebAccess, base_under_test, ipuis, mac,
    plain_name, secret,
};
use document::{Document, FileError};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RigUnit {
    /// Its name in the evidence, unique in its rig.
    pub name: String,
    /// What it is.
    pub base: BaseUnderTest,
    /// Its MAC address: 12 hexadecimal digits, lower case.
    pub mac: String,
    /// The IPUIs of the handsets that are paired with it.
    pub handsets: Vec<String>,
    /// The serial console, if one is plugged in.
    pub console: Option<ConsolePort>,
    /// The web interface, if it may be used.
    pub web: Option<WebAccess>,
}

/// The name of the rig's own base.
const OWN: &str = "base";

/// The shape of a `[[unit]]` table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct UnitSection {
    name: String,
    emulated: Option<String>,
    address: Option<String>,
    mac: String,
    handsets: Paired,
    console: Option<Console>,
    web: Option<Web>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Paired {
    ipui: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Console {
    port: String,
    username: Option<String>,
    password: Option<String>,
    password_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Web {
    url: String,
    username: Option<String>,
    password: Option<String>,
    password_env: Option<String>,
}

/// A key of the n-th unit: of the rig's own base for the first.
pub(super) fn key_of(number: usize, key: &str) -> String {
    match number.checked_sub(1) {
        Some(place) => format!("unit[{place}].{key}"),
        None => key.to_owned(),
    }
}

/// The units beside the rig's own base.
pub(super) fn further(
    document: &Document,
    rig: &Rig,
    sections: Vec<UnitSection>,
) -> Result<Vec<RigUnit>, FileError> {
    let unit = |(place, section): (usize, UnitSection)| read(document, rig, place + 1, section);
    sections.into_iter().enumerate().map(unit).collect()
}

fn read(
    document: &Document,
    rig: &Rig,
    number: usize,
    section: UnitSection,
) -> Result<RigUnit, FileError> {
    let key = |key: &str| key_of(number, key);
    let own = format!("unit[{}]", number - 1);
    let base = base_under_test(document, &own, section.emulated, section.address)?;
    let is_alike = matches!(
        (&base, &rig.base),
        (
            BaseUnderTest::Emulated { .. },
            BaseUnderTest::Emulated { .. }
        )
    );
    let console = match section.console {
        None => rig.console.clone().filter(|_| is_alike),
        Some(console) => {
            let usual = rig.console.as_ref().map(|console| &console.account);
            let credentials = (console.username, console.password, console.password_env);
            let account = login(document, &key("console"), usual, credentials)?;
            let port = console.port;
            Some(ConsolePort { port, account })
        }
    };
    let web = match section.web {
        None => rig.web.clone().filter(|_| is_alike),
        Some(web) => {
            let usual = rig.web.as_ref().map(|web| &web.account);
            let credentials = (web.username, web.password, web.password_env);
            let account = login(document, &key("web"), usual, credentials)?;
            let url = web.url;
            Some(WebAccess { url, account })
        }
    };
    Ok(RigUnit {
        name: plain_name(document, &key("name"), section.name)?,
        base,
        mac: mac(document, &key("mac"), &section.mac)?,
        handsets: ipuis(document, &key("handsets.ipui"), section.handsets.ipui)?,
        console,
        web,
    })
}

/// Who logs in: the one who is named, or, when nothing is said of it, whoever logs in at the rig's own base.
fn login(
    document: &Document,
    section: &str,
    usual: Option<&Login>,
    (username, password, environment): (Option<String>, Option<String>, Option<String>),
) -> Result<Login, FileError> {
    match (username, usual) {
        (None, Some(usual)) if password.is_none() && environment.is_none() => Ok(usual.clone()),
        (None, _) => Err(document.error(&format!("{section}.username"), "is missing")),
        (Some(username), _) => Ok(Login {
            username,
            password: secret(document, section, password, environment)?,
        }),
    }
}

impl Rig {
    /// All units, the rig's own base first.
    #[must_use]
    pub fn units(&self) -> Vec<RigUnit> {
        let first = RigUnit {
            name: OWN.to_owned(),
            base: self.base.clone(),
            mac: self.mac.clone(),
            handsets: self.handsets.clone(),
            console: self.console.clone(),
            web: self.web.clone(),
        };
        std::iter::once(first)
            .chain(self.further.iter().cloned())
            .collect()
    }

    /// Each face of the rig needs its instrument at each unit.
    pub(super) fn check_faces(&self, document: &Document) -> Result<(), FileError> {
        let is_missing = |unit: &RigUnit, face: HandsetFace| match face {
            HandsetFace::Console => unit.console.is_none(),
            HandsetFace::Web => unit.web.is_none(),
        };
        for (number, unit) in self.units().iter().enumerate() {
            let mut faces = self.faces.iter();
            let Some(face) = faces.find(|face| is_missing(unit, **face)) else {
                continue;
            };
            return Err(if number == 0 {
                let problem = format!("has \"{face}\" but the rig has no [{face}] section");
                document.error("handsets.faces", problem)
            } else {
                let problem = format!("is missing, and the rig has the face \"{face}\"");
                document.error(&key_of(number, face.as_str()), problem)
            });
        }
        Ok(())
    }

    /// What tells units apart: whoever speaks, fetches a file or is shown must be one unit's own.
    pub(super) fn check_distinct(&self, document: &Document) -> Result<(), FileError> {
        let units = self.units();
        for (number, unit) in units.iter().enumerate() {
            for earlier in units.iter().take(number) {
                if let Some((key, problem)) = clash(earlier, unit) {
                    return Err(document.error(&key_of(number, key), problem));
                }
            }
        }
        Ok(())
    }
}

/// The host of an address without its port: a laboratory tells units apart by nothing else.
fn host_of(address: &str) -> String {
    let with_port = address.parse::<SocketAddr>().map(|address| address.ip());
    match with_port.or_else(|_| address.parse::<IpAddr>()) {
        Ok(ip) => ip.to_canonical().to_string(),
        Err(_) => {
            let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
            name.to_ascii_lowercase()
        }
    }
}

/// What two units must not have in common: the key of the later one, and what is wrong with it.
fn clash(earlier: &RigUnit, unit: &RigUnit) -> Option<(&'static str, String)> {
    let owner = &earlier.name;
    if unit.name == *owner {
        return Some(("name", format!("\"{owner}\" is the name of another unit")));
    }
    if unit.mac == earlier.mac {
        return Some(("mac", format!("is the MAC address of unit \"{owner}\"")));
    }
    if let (BaseUnderTest::Real { address }, BaseUnderTest::Real { address: other }) =
        (&unit.base, &earlier.base)
    {
        if host_of(address) == host_of(other) {
            let problem = format!("is the address of unit \"{owner}\"");
            return Some(("address", problem));
        }
        let port = |unit: &RigUnit| unit.console.as_ref().map(|console| console.port.clone());
        if port(unit).is_some_and(|own| port(earlier) == Some(own)) {
            let problem = format!("is the console of unit \"{owner}\"");
            return Some(("console.port", problem));
        }
        let url = |unit: &RigUnit| {
            let web = unit.web.as_ref();
            web.map(|web| web.url.trim_end_matches('/').to_ascii_lowercase())
        };
        if url(unit).is_some_and(|own| url(earlier) == Some(own)) {
            let problem = format!("is the web interface of unit \"{owner}\"");
            return Some(("web.url", problem));
        }
    }
    let mut shared = unit.handsets.iter();
    let ipui = shared.find(|ipui| earlier.handsets.contains(ipui))?;
    let problem = format!("\"{ipui}\" is paired with unit \"{owner}\"");
    Some(("handsets.ipui", problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::Secret;
    use std::path::Path;

    const RIG: &str = include_str!("../../../emulated-n870.toml");
    const ANNEXE: &str = "
[[unit]]
name = \"annexe\"
emulated = \"n870\"
mac = \"7C:2F:80:E0:D6:06\"
handsets = { ipui = [\"02c0ffee01\"] }
";

    fn rig(units: &str) -> Result<Rig, FileError> {
        Rig::from_toml(&format!("{RIG}{units}"), Path::new("rigs/x.toml"))
    }

    #[test]
    fn an_emulated_unit_has_the_lines_of_the_rig_s_base() {
        let rig = rig(ANNEXE).unwrap();
        let [base, annexe] = rig.units().try_into().unwrap();
        assert_eq!((base.name.as_str(), annexe.name.as_str()), (OWN, "annexe"));
        assert_eq!(annexe.mac, "7c2f80e0d606");
        assert_eq!(annexe.handsets, ["02c0ffee01"]);
        assert_eq!(annexe.console, base.console);
        assert_eq!(annexe.web, base.web);
        assert_eq!(rig.further, [annexe]);
    }

    #[test]
    fn a_unit_can_have_lines_and_logins_of_its_own() {
        let sections = "[unit.console]\nport = \"emulated\"\nusername = \"root\"\npassword-env = \"ROOT\"\n\
                        [unit.web]\nurl = \"emulated\"\n";
        let rig = rig(&format!("{ANNEXE}{sections}")).unwrap();
        let own = &rig.further[0];
        let console = &own.console.as_ref().unwrap().account;
        assert_eq!(console.username, "root");
        assert_eq!(console.password, Secret::Environment("ROOT".to_owned()));
        assert_eq!(own.web, rig.web, "who logs in is not said anew");
    }

    #[test]
    fn a_real_unit_has_the_lines_that_are_written_and_no_other() {
        let real = ANNEXE.replace("emulated = \"n870\"", "address = \"192.0.2.8\"");
        let told = rig(&real).unwrap_err().to_string();
        let complaint = "unit[0].console: is missing, and the rig has the face \"console\"";
        assert!(told.ends_with(complaint), "{told}");
        let lines =
            "console = { port = \"/dev/ttyUSB1\" }\nweb = { url = \"https://192.0.2.8\" }\n";
        let rig = rig(&format!("{real}{lines}")).unwrap();
        let console = rig.further[0].console.as_ref().unwrap();
        assert_eq!(console.port, "/dev/ttyUSB1");
        assert_eq!(console.account, rig.console.unwrap().account);
    }

    #[test]
    fn what_is_wrong_with_a_unit_is_named_at_its_line() {
        // What is changed, into what, a text on the line that is named (the last such line), and what is said.
        for (from, to, at, complaint) in [
            (
                "\"annexe\"",
                "\"base\"",
                "name =",
                "unit[0].name: \"base\" is the name of another unit",
            ),
            (
                "\"annexe\"",
                "\"../annexe\"",
                "name =",
                "unit[0].name: `../annexe` cannot name a file",
            ),
            (
                "7C:2F:80:E0:D6:06",
                "7C-2F-80-E0-D6-05",
                "mac =",
                "unit[0].mac: is the MAC address of unit \"base\"",
            ),
            (
                "7C:2F:80:E0:D6:06",
                "7C:2F:80",
                "mac =",
                "unit[0].mac: is not 12 hexadecimal digits",
            ),
            (
                "[\"02c0ffee01\"]",
                "[\"02c0ffee01\", \"02b6ec8aa5\"]",
                "handsets =",
                "unit[0].handsets.ipui: \"02b6ec8aa5\" is paired with unit \"base\"",
            ),
            (
                "[\"02c0ffee01\"]",
                "[\"02c0ffee01\", \"02c0ffee01\"]",
                "handsets =",
                "unit[0].handsets.ipui: names \"02c0ffee01\" twice",
            ),
            (
                "[\"02c0ffee01\"]",
                "[]",
                "handsets =",
                "unit[0].handsets.ipui: names no handset",
            ),
            (
                "ipui =",
                "ipiu =",
                "handsets =",
                "unit[0].handsets.ipiu: unknown key; did you mean `ipui`?",
            ),
            (
                "emulated =",
                "emulatde =",
                "emulatde =",
                "unit[0].emulatde: unknown key; did you mean `emulated`?",
            ),
            (
                "emulated = \"n870\"\n",
                "",
                "[[unit]]",
                "unit[0].emulated: exactly one of `emulated` (a model) and `address` (a real base) must be given",
            ),
            (
                "mac =",
                "console = { port = \"/dev/ttyUSB1\" }\nmac =",
                "console =",
                "unit[0].console.port: must be \"emulated\", as the base is",
            ),
            (
                "mac =",
                "web = { url = \"emulated\", password = \"x\" }\nmac =",
                "web =",
                "unit[0].web.username: is missing",
            ),
            (
                "mac =",
                "web = { url = \"emulated\", username = \"x\" }\nmac =",
                "web =",
                "unit[0].web.password: exactly one of `password` and `password-env` must be given",
            ),
        ] {
            assert!(ANNEXE.contains(from), "{from}");
            let units = ANNEXE.replacen(from, to, 1);
            let text = format!("{RIG}{units}");
            let lines: Vec<&str> = text.lines().collect();
            let line = 1 + lines.iter().rposition(|line| line.starts_with(at)).unwrap();
            let told = rig(&units).unwrap_err().to_string();
            let wanted = format!("rigs/x.toml:{line}: {complaint}");
            assert!(told.starts_with(&wanted), "{told}\n{wanted}");
        }
    }

    #[test]
    fn two_further_units_are_told_apart_as_well() {
        let second = ANNEXE.replace("annexe", "barn");
        let told = rig(&format!("{ANNEXE}{second}")).unwrap_err().to_string();
        let complaint = "unit[1].mac: is the MAC address of unit \"annexe\"";
        assert!(told.ends_with(complaint), "{told}");
        let second = second.replace("D6:06", "D6:07");
        let told = rig(&format!("{ANNEXE}{second}")).unwrap_err().to_string();
        let complaint = "unit[1].handsets.ipui: \"02c0ffee01\" is paired with unit \"annexe\"";
        assert!(told.ends_with(complaint), "{told}");
        let second = second.replace("02c0ffee01", "02c0ffee02");
        assert_eq!(rig(&format!("{ANNEXE}{second}")).unwrap().units().len(), 3);
    }

    /// What is wrong with two real units: the key and why.
    fn real_pair(own: [&str; 3], other: [&str; 3]) -> Option<(usize, String, String)> {
        let lines = |[address, port, url]: [&str; 3], text: &str| {
            text.replace("emulated = \"n870\"", &format!("address = \"{address}\""))
                .replace("port = \"emulated\"", &format!("port = \"{port}\""))
                .replace("url = \"emulated\"", &format!("url = \"{url}\""))
        };
        let sections = "[unit.console]\nport = \"emulated\"\n[unit.web]\nurl = \"emulated\"\n";
        let text = lines(own, RIG) + &lines(other, &format!("{ANNEXE}{sections}"));
        let error = Rig::from_toml(&text, Path::new("x")).err()?;
        Some((error.line, error.key, error.problem))
    }

    #[test]
    fn two_real_units_have_two_hosts_and_lines_of_their_own() {
        let own = ["192.0.2.7", "/dev/ttyUSB0", "https://192.0.2.7"];
        let further = ["192.0.2.8", "/dev/ttyUSB1", "https://192.0.2.8"];
        assert_eq!(real_pair(own, further), None);
        let (line, _, _) = real_pair(own, own).unwrap();
        for (place, same, key, problem) in [
            (0, "192.0.2.7", "address", "is the address of unit \"base\""),
            (
                0,
                "192.0.2.7:5070",
                "address",
                "is the address of unit \"base\"",
            ),
            (
                0,
                "::ffff:192.0.2.7",
                "address",
                "is the address of unit \"base\"",
            ),
            (
                1,
                "/dev/ttyUSB0",
                "console.port",
                "is the console of unit \"base\"",
            ),
            (
                2,
                "https://192.0.2.7/",
                "web.url",
                "is the web interface of unit \"base\"",
            ),
        ] {
            let mut clashing = further;
            clashing[place] = same;
            let (at, named, told) = real_pair(own, clashing).unwrap();
            assert_eq!(
                (named.as_str(), told.as_str()),
                (format!("unit[0].{key}").as_str(), problem)
            );
            assert_eq!(at - line, [0, 4, 6][place], "{key}");
        }
        let (names, ports) = (["Base.lab:5060", "a", "b"], ["base.lab", "c", "d"]);
        assert_eq!(real_pair(names, ports).unwrap().1, "unit[0].address");
    }
}
