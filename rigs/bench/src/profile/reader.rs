//! Reads a profile: claims by their dotted keys against the closed list, each with what its table says about status and
//! source, and then the conventions that the instruments need, compiled once.

use super::schema::{self, Kind};
use super::{Claim, Console, Display, DisplayBlock, Keys, Menu, Pointers, Profile, Web};
use crate::document::{FileError, describe, texts, unknown_key};
use evidence::record::{ClaimStatus, Service};
use regex::Regex;
use std::collections::BTreeMap;
use std::time::Duration;
use toml::de::DeValue;

/// What a table says about everything below it.
#[derive(Clone, Default)]
pub(super) struct Inherited {
    status: Option<ClaimStatus>,
    source: String,
}

/// Reads claims one by one, then compiles them.
pub(super) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    claims: BTreeMap<String, Claim>,
    lists: BTreeMap<String, Vec<String>>,
    patterns: BTreeMap<String, Regex>,
    pub(super) name: Option<String>,
}

impl<'t> Reader<'t> {
    pub(super) const fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            claims: BTreeMap::new(),
            lists: BTreeMap::new(),
            patterns: BTreeMap::new(),
            name: None,
        }
    }

    fn error(&self, line: usize, key: &str, problem: &str) -> FileError {
        FileError {
            file: self.file.to_owned(),
            line,
            key: key.to_owned(),
            problem: problem.to_owned(),
        }
    }

    pub(super) fn take(
        &mut self,
        path: String,
        line: usize,
        value: &DeValue<'_>,
        inherited: &Inherited,
    ) -> Result<(), FileError> {
        let Some(table) = value.as_table() else {
            return self.claim(path, line, value, inherited);
        };
        let mut inherited = inherited.clone();
        let mut held = None;
        let mut below = Vec::new();
        for (key, value) in table {
            let line = crate::document::line_of(self.text, key.span().start);
            match key.get_ref().as_ref() {
                "claim" => inherited.status = Some(self.status(&path, line, value.get_ref())?),
                "source" => {
                    let source = value.get_ref().as_str().ok_or_else(|| {
                        self.error(line, &format!("{path}.source"), "must be a string")
                    })?;
                    source.clone_into(&mut inherited.source);
                }
                "value" => held = Some((line, value.get_ref())),
                name => below.push((format!("{path}.{name}"), line, value.get_ref())),
            }
        }
        if let Some((line, value)) = held {
            self.claim(path, line, value, &inherited)?;
        }
        for (path, line, value) in below {
            self.take(path, line, value, &inherited)?;
        }
        Ok(())
    }

    fn status(
        &self,
        path: &str,
        line: usize,
        value: &DeValue<'_>,
    ) -> Result<ClaimStatus, FileError> {
        match value.as_str() {
            Some("assumed") => Ok(ClaimStatus::Assumed),
            Some("documented") => Ok(ClaimStatus::Documented),
            Some("no") => Ok(ClaimStatus::No),
            _ => {
                let problem = format!(
                    "is {} but must be assumed, documented or no",
                    describe(value)
                );
                Err(self.error(line, &format!("{path}.claim"), &problem))
            }
        }
    }

    fn claim(
        &mut self,
        path: String,
        line: usize,
        value: &DeValue<'_>,
        inherited: &Inherited,
    ) -> Result<(), FileError> {
        let Some(kind) = schema::kind(&path) else {
            let known: Vec<&str> = schema::keys().collect();
            return Err(self.error(line, &path, &unknown_key(&path, known.into_iter())));
        };
        let Some(status) = inherited.status else {
            let problem = "has no claim: say `claim = \"assumed\"`, \"documented\" or \"no\"";
            return Err(self.error(line, &path, problem));
        };
        let text = match (kind, value) {
            (Kind::List, value) => texts(value).map(|list| {
                let joined = list.join(" > ");
                let list = list.into_iter().map(str::to_owned).collect();
                self.lists.insert(path.clone(), list);
                joined
            }),
            (Kind::Number, DeValue::Integer(number)) => {
                number.as_str().parse::<u32>().ok().map(|n| n.to_string())
            }
            (Kind::Pattern, DeValue::String(pattern)) => {
                let compiled = Regex::new(pattern).map_err(|error| {
                    let problem = error.to_string();
                    let last = problem.lines().last().unwrap_or_default();
                    self.error(line, &path, &format!("is not a pattern: {last}"))
                })?;
                self.patterns.insert(path.clone(), compiled);
                Some(pattern.to_string())
            }
            (Kind::Text, DeValue::String(text)) => Some(text.to_string()),
            (Kind::Word(words), DeValue::String(text)) if words.contains(&text.as_ref()) => {
                Some(text.to_string())
            }
            _ => None,
        };
        let Some(value) = text else {
            let problem = format!("is {} but must be {}", describe(value), kind.in_words());
            return Err(self.error(line, &path, &problem));
        };
        let source = inherited.source.clone();
        let claim = Claim {
            value,
            status,
            source,
            line,
        };
        self.claims.insert(path, claim);
        Ok(())
    }

    fn text(&self, key: &str) -> Result<String, FileError> {
        let claim = self.claims.get(key);
        claim
            .map(|claim| claim.value.clone())
            .ok_or_else(|| self.error(1, key, "is missing"))
    }

    fn pattern(&self, key: &str) -> Result<Regex, FileError> {
        let pattern = self.patterns.get(key).cloned();
        pattern.ok_or_else(|| self.error(1, key, "is missing"))
    }

    fn grouped(&self, key: &str, groups: &[&str]) -> Result<Regex, FileError> {
        let pattern = self.pattern(key)?;
        let missing = groups.iter().find(|group| {
            !pattern
                .capture_names()
                .flatten()
                .any(|name| name == **group)
        });
        match missing {
            None => Ok(pattern),
            Some(group) => {
                let line = self.claims.get(key).map_or(1, |claim| claim.line);
                let problem = format!("must have the named group `(?P<{group}>..)`");
                Err(self.error(line, key, &problem))
            }
        }
    }

    fn number(&self, key: &str) -> Result<u32, FileError> {
        self.text(key)?
            .parse()
            .map_err(|_| self.error(1, key, "is not a number"))
    }

    fn seconds(&self, key: &str) -> Result<Duration, FileError> {
        self.number(key)
            .map(|seconds| Duration::from_secs(u64::from(seconds)))
    }

    fn list(&self, key: &str) -> Result<Vec<String>, FileError> {
        self.lists
            .get(key)
            .cloned()
            .ok_or_else(|| self.error(1, key, "is missing"))
    }

    /// One value for each service that the base claims.
    fn per_service<T>(
        &self,
        key: impl Fn(&str) -> String,
        read: impl Fn(&str) -> Result<T, FileError>,
    ) -> Result<BTreeMap<Service, T>, FileError> {
        let claimed = Service::CALL.into_iter().filter(|service| {
            let claim = self.claims.get(&format!("services.{}", service.key()));
            claim.is_some_and(|claim| claim.status != ClaimStatus::No && claim.value == "yes")
        });
        claimed
            .map(|service| Ok((service, read(&key(service.key()))?)))
            .collect()
    }

    pub(super) fn compile(self) -> Result<Profile, FileError> {
        Ok(Profile {
            name: self
                .name
                .clone()
                .ok_or_else(|| self.error(1, "name", "is missing"))?,
            file: self.file.to_owned(),
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
