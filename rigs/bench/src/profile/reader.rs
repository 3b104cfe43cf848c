//! Reads a profile: claims by their dotted keys against the closed list, and then the conventions that the instruments
//! need, compiled once.

use super::schema::{self, pattern};
use super::{Console, Display, DisplayBlock, Keys, Menu, Pointers, Profile, Web};
use document::{Claim, ClaimStatus, Document, FileError, did_you_mean};
use evidence::record::Service;
use regex::Regex;
use std::collections::BTreeMap;
use std::time::Duration;

/// The one key that is no claim.
const NAME: &str = "name";

/// A profile whose claims are all known and of the right kind.
pub(super) struct Reader<'d> {
    document: &'d Document,
    claims: BTreeMap<String, Claim>,
}

impl<'d> Reader<'d> {
    /// Checks every claim against the closed list.
    pub(super) fn new(document: &'d Document) -> Result<Self, FileError> {
        for key in document.unclaimed() {
            if key == NAME {
                continue;
            }
            known(document, &key)?;
            let problem = "has no claim: say `claim = \"assumed\"`, \"documented\" or \"no\"";
            return Err(document.error(&key, problem));
        }
        let mut claims = BTreeMap::new();
        for claim in document.claims()? {
            known(document, &claim.key)?.check(document, &claim.key)?;
            claims.insert(claim.key.clone(), claim);
        }
        Ok(Self { document, claims })
    }

    fn text(&self, key: &str) -> Result<String, FileError> {
        self.document.read_at(key)
    }

    fn list(&self, key: &str) -> Result<Vec<String>, FileError> {
        self.document.read_at(key)
    }

    fn number(&self, key: &str) -> Result<u32, FileError> {
        self.document.read_at(key)
    }

    fn pattern(&self, key: &str) -> Result<Regex, FileError> {
        pattern(self.document, key)
    }

    fn grouped(&self, key: &str, groups: &[&str]) -> Result<Regex, FileError> {
        let pattern = self.pattern(key)?;
        let has = |group: &str| pattern.capture_names().flatten().any(|name| name == group);
        match groups.iter().find(|group| !has(group)) {
            None => Ok(pattern),
            Some(group) => {
                let problem = format!("must have the named group `(?P<{group}>..)`");
                Err(self.document.error(key, problem))
            }
        }
    }

    fn seconds(&self, key: &str) -> Result<Duration, FileError> {
        self.number(key)
            .map(|seconds| Duration::from_secs(u64::from(seconds)))
    }

    /// One value for each service that the base claims.
    fn per_service<T>(
        &self,
        key: impl Fn(&str) -> String,
        read: impl Fn(&str) -> Result<T, FileError>,
    ) -> Result<BTreeMap<Service, T>, FileError> {
        let claimed = Service::CALL.into_iter().filter(|service| {
            let claim = self.claims.get(&format!("services.{}", service.key()));
            claim.is_some_and(|claim| claim.claim != ClaimStatus::No && claim.value == "yes")
        });
        claimed
            .map(|service| Ok((service, read(&key(service.key()))?)))
            .collect()
    }

    pub(super) fn compile(self, file: &str) -> Result<Profile, FileError> {
        Ok(Profile {
            name: self.text(NAME)?,
            file: file.to_owned(),
            display: self.display()?,
            menu: self.menu()?,
            keys: self.keys()?,
            console: self.console()?,
            web: self.web()?,
            claims: self.claims,
        })
    }

    fn display(&self) -> Result<Display, FileError> {
        Ok(Display {
            idle: self.per_service(
                |service| format!("display.idle.{service}"),
                |key| self.pattern(key),
            )?,
            titles: self.per_service(
                |service| format!("display.menu.{service}.title"),
                |key| self.pattern(key),
            )?,
            idle_local: self.pattern("display.idle.local-do-not-disturb")?,
            title_local: self.pattern("display.menu.local-do-not-disturb.title")?,
            status: self.grouped("display.menu.status", &["status"])?,
            on: self.text("display.menu.on")?,
            off: self.text("display.menu.off")?,
            number: self.grouped("display.menu.number", &["number"])?,
            rings: self.grouped("display.menu.rings", &["rings"])?,
            wait: self.pattern("display.menu.wait")?,
            refused: self.pattern("display.menu.refused")?,
        })
    }

    fn menu(&self) -> Result<Menu, FileError> {
        Ok(Menu {
            root: self.text("menu.root")?,
            select: self.text("menu.select")?,
            save: self.text("menu.save")?,
            paths: self.per_service(|service| format!("menu.{service}"), |key| self.list(key))?,
            local: self.list("menu.local-do-not-disturb")?,
        })
    }

    fn keys(&self) -> Result<Keys, FileError> {
        Ok(Keys {
            menu: self.text("keys.menu")?,
            idle: self.text("keys.idle")?,
            up: self.text("keys.up")?,
            down: self.text("keys.down")?,
            toggle: self.text("keys.toggle")?,
            ok: self.text("keys.ok")?,
            talk: self.text("keys.talk")?,
            clear: self.text("keys.clear")?,
            softkeys: self.list("keys.softkeys")?,
        })
    }

    fn console(&self) -> Result<Console, FileError> {
        Ok(Console {
            baud: self.number("console.baud")?,
            login: self.pattern("console.login")?,
            password: self.pattern("console.password")?,
            prompt: self.pattern("console.prompt")?,
            refused: self.pattern("console.refused")?,
            log_line: self.grouped("console.log-line", &["text"])?,
            error: self.grouped("console.error", &["text"])?,
            display_event: self.grouped("console.display-event", &["handset", "view", "json"])?,
            wake_after: self.seconds("console.wake-after-seconds")?,
            prompt_within: self.seconds("console.prompt-within-seconds")?,
            answer_within: self.seconds("console.answer-within-seconds")?,
            display_command: self.text("console.command.display")?,
            keys_command: self.text("console.command.keys")?,
            provision_command: self.text("console.command.provision")?,
            reboot_command: self.text("console.command.reboot")?,
            display: DisplayBlock {
                head: self.grouped("console.display.head", &["handset", "view"])?,
                title: self.grouped("console.display.title", &["text"])?,
                line: self.grouped("console.display.line", &["mark", "text"])?,
                softkeys: self.grouped("console.display.softkeys", &["text"])?,
                softkey_separator: self.text("console.display.softkey-separator")?,
                end: self.pattern("console.display.end")?,
            },
        })
    }

    fn web(&self) -> Result<Web, FileError> {
        Ok(Web {
            login: self.text("web.login")?,
            logout: self.text("web.logout")?,
            device: self.text("web.device")?,
            handsets: self.text("web.handsets")?,
            display: self.text("web.display")?,
            keys: self.text("web.keys")?,
            events: self.text("web.events")?,
            answer_within: self.seconds("web.answer-within-seconds")?,
            pointer: Pointers {
                token: self.text("web.pointer.token")?,
                message: self.text("web.pointer.message")?,
                event: self.text("web.pointer.event")?,
                handset: self.text("web.pointer.handset")?,
                view: self.text("web.pointer.view")?,
                title: self.text("web.pointer.title")?,
                lines: self.text("web.pointer.lines")?,
                cursor: self.text("web.pointer.cursor")?,
                softkeys: self.text("web.pointer.softkeys")?,
            },
        })
    }
}

/// The kind of this key's value, if the key exists.
fn known(document: &Document, key: &str) -> Result<schema::Kind, FileError> {
    schema::kind(key).ok_or_else(|| {
        let known: Vec<&str> = schema::keys().chain([NAME]).collect();
        document.error(key, format!("unknown key{}", did_you_mean(key, known)))
    })
}
