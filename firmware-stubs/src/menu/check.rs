//! Whether a menu tree can be walked and says something everywhere: asked once, when a model file is read.
//!
//! Refused are a name that nothing has, a page or editor that no way leads to, a page that leads back to one above it (back
//! would never reach the idle screen), an editor of a service that the model lacks or of fields that the service has not,
//! two lines of a page that read the same, and a text that a language lacks or that nothing uses. Each complaint has the
//! key, and the nearest known name where a name is unknown.

use super::texts::{Texts, Word};
use super::tree::{Effect, Field, Form, Menu, Page, Shown};
use document::did_you_mean;
use sip::service::Service;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with a menu, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub(crate) struct Misfit {
    /// The dotted key.
    pub(crate) key: String,
    /// A text that stands in the file at the place.
    pub(crate) near: String,
    /// What is wrong.
    pub(crate) problem: String,
}

impl Misfit {
    fn new(key: impl Into<String>, near: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            near: near.into(),
            problem: problem.into(),
        }
    }
}

/// Checks the menu of a model with these services and texts.
///
/// # Errors
/// At the first thing that is wrong.
pub(crate) fn check(
    menu: &Menu,
    services: &[Service],
    text: &BTreeMap<String, Texts>,
) -> Result<(), Misfit> {
    let check = Check {
        menu,
        services,
        text,
    };
    check.languages()?;
    check.editors()?;
    check.idle()?;
    check.pages()?;
    check.tree()
}

struct Check<'a> {
    menu: &'a Menu,
    services: &'a [Service],
    text: &'a BTreeMap<String, Texts>,
}

/// Texts.
impl Check<'_> {
    fn languages(&self) -> Result<(), Misfit> {
        let language = &self.menu.language;
        if !self.text.contains_key(language) {
            let known = self.text.keys().map(String::as_str);
            let problem = format!("no texts for `{language}`{}", did_you_mean(language, known));
            return Err(Misfit::new("menu.language", quoted(language), problem));
        }
        let used = self.used();
        for (language, texts) in self.text {
            check_texts(language, texts, &used)?;
        }
        Ok(())
    }

    /// The keys of all texts that a display can show.
    fn used(&self) -> BTreeSet<&str> {
        let words = Word::ALL.iter().map(|word| word.key());
        let pages = self.menu.pages.iter().flat_map(|page| {
            let labels = page.entries.iter().map(|entry| entry.label.as_str());
            labels.chain([page.title.as_str()])
        });
        let editors = self.menu.editors.iter().map(|form| form.title.as_str());
        let idle = self.menu.idle.iter();
        let idle = idle.filter_map(|line| line.text.as_deref());
        words.chain(pages).chain(editors).chain(idle).collect()
    }
}

fn check_texts(language: &str, texts: &Texts, used: &BTreeSet<&str>) -> Result<(), Misfit> {
    let table = format!("text.{language}");
    if let Some(key) = used.iter().find(|key| !texts.has(key)) {
        let spare = texts.keys().filter(|key| !used.contains(key));
        let problem = format!("`{key}` is missing{}", did_you_mean(key, spare));
        return Err(Misfit::new(&table, format!("[{table}]"), problem));
    }
    if let Some(key) = texts.keys().find(|key| !used.contains(key)) {
        let hint = did_you_mean(key, used.iter().copied());
        let problem = format!("no display shows it{hint}");
        return Err(Misfit::new(format!("{table}.{key}"), key, problem));
    }
    for word in Word::ALL.iter().filter(|word| word.has_value()) {
        if !texts.word(*word).contains("{value}") {
            let key = format!("{table}.{}", word.key());
            let problem = "no `{value}` in it";
            return Err(Misfit::new(key, texts.word(*word), problem));
        }
    }
    Ok(())
}

/// Services.
impl Check<'_> {
    fn service(&self, key: &str, service: Service) -> Result<(), Misfit> {
        if self.services.contains(&service) {
            return Ok(());
        }
        let name = service.key();
        let hint = did_you_mean(name, self.services.iter().map(|known| known.key()));
        let problem = format!("this model has no service `{name}`{hint}");
        Err(Misfit::new(key, name, problem))
    }

    fn editors(&self) -> Result<(), Misfit> {
        for (index, form) in self.menu.editors.iter().enumerate() {
            let name = form.service.key();
            let key = format!("menu.editor.{name}");
            self.service(&key, form.service)?;
            let mut before = self.menu.editors.iter().take(index);
            if before.any(|other| other.service == form.service) {
                let problem = "a second editor of the same service";
                return Err(Misfit::new(key, quoted(name), problem));
            }
            check_fields(&format!("{key}.fields"), form)?;
        }
        Ok(())
    }

    fn idle(&self) -> Result<(), Misfit> {
        for (index, line) in self.menu.idle.iter().enumerate() {
            let (key, name) = match line.show {
                Shown::Name => ("menu.idle.name".to_owned(), "name"),
                Shown::Ringer => ("menu.idle.ringer".to_owned(), "ringer"),
                Shown::Service(service) => {
                    let key = format!("menu.idle.{}", service.key());
                    self.service(&key, service)?;
                    (key, service.key())
                }
            };
            let mut before = self.menu.idle.iter().take(index);
            let problem = if before.any(|other| other.show == line.show) {
                "shown twice"
            } else if line.text.is_none() && line.show != Shown::Name {
                "it needs a `text`"
            } else if line.text.is_some() && line.show == Shown::Name {
                "it stands for itself and takes no `text`"
            } else {
                continue;
            };
            return Err(Misfit::new(key, quoted(name), problem));
        }
        Ok(())
    }
}

fn check_fields(key: &str, form: &Form) -> Result<(), Misfit> {
    let possible = Field::of(form.service);
    for (index, field) in form.fields.iter().enumerate() {
        let name = field.as_str();
        let problem = if !possible.contains(field) {
            format!("`{}` has no `{name}`", form.service.key())
        } else if form.fields.iter().take(index).any(|other| other == field) {
            format!("`{name}` stands there twice")
        } else {
            continue;
        };
        return Err(Misfit::new(key, quoted(form.service.key()), problem));
    }
    if form.fields.contains(&Field::Status) {
        return Ok(());
    }
    let problem = "without `status` nothing can be switched";
    Err(Misfit::new(key, quoted(form.service.key()), problem))
}

/// Pages, each for itself.
impl Check<'_> {
    fn pages(&self) -> Result<(), Misfit> {
        for (index, page) in self.menu.pages.iter().enumerate() {
            let key = format!("menu.page.{}", page.id);
            if self.menu.position(&page.id) != Some(index) {
                let problem = "a second page with the same id";
                return Err(Misfit::new(key, quoted(&page.id), problem));
            }
            if page.entries.is_empty() {
                let problem = "a page without entries";
                return Err(Misfit::new(key, quoted(&page.id), problem));
            }
        }
        for page in &self.menu.pages {
            self.entries(&format!("menu.page.{}.entries", page.id), page)?;
        }
        Ok(())
    }

    fn entries(&self, key: &str, page: &Page) -> Result<(), Misfit> {
        for (index, entry) in page.entries.iter().enumerate() {
            match &entry.effect {
                Effect::Open(id) => self.target(key, id)?,
                Effect::Edit(service) => {
                    self.service(key, *service)?;
                    if self.menu.form(*service).is_none() {
                        let name = service.key();
                        let known = self.menu.editors.iter().map(|form| form.service.key());
                        let hint = did_you_mean(name, known);
                        let problem = format!("no editor of `{name}`{hint}");
                        return Err(Misfit::new(key, format!("edit {name}"), problem));
                    }
                }
                Effect::ToggleRinger => {}
            }
            for (language, texts) in self.text {
                let label = texts.text(&entry.label);
                let mut before = page.entries.iter().take(index);
                if before.any(|other| texts.text(&other.label) == label) {
                    let problem = format!("`{label}` stands there twice in `{language}`");
                    return Err(Misfit::new(key, quoted(&entry.label), problem));
                }
            }
        }
        Ok(())
    }

    fn target(&self, key: &str, id: &str) -> Result<(), Misfit> {
        if self.menu.position(id).is_some() {
            return Ok(());
        }
        let known = self.menu.pages.iter().map(|page| page.id.as_str());
        let problem = format!("no page `{id}`{}", did_you_mean(id, known));
        Err(Misfit::new(key, id, problem))
    }
}

/// The tree.
impl Check<'_> {
    fn tree(&self) -> Result<(), Misfit> {
        self.target("menu.root", &self.menu.root)?;
        let mut seen = BTreeSet::new();
        self.walk(&self.menu.root, &mut Vec::new(), &mut seen)?;
        let lost = self
            .menu
            .pages
            .iter()
            .find(|page| !seen.contains(page.id.as_str()));
        if let Some(page) = lost {
            let key = format!("menu.page.{}", page.id);
            let problem = format!("no way leads here from `{}`", self.menu.root);
            return Err(Misfit::new(key, quoted(&page.id), problem));
        }
        let entries = self.menu.pages.iter().flat_map(|page| &page.entries);
        let edited: Vec<&Effect> = entries.map(|entry| &entry.effect).collect();
        let mut editors = self.menu.editors.iter();
        match editors.find(|form| !edited.contains(&&Effect::Edit(form.service))) {
            None => Ok(()),
            Some(form) => {
                let name = form.service.key();
                let problem = "no entry opens this editor";
                Err(Misfit::new(
                    format!("menu.editor.{name}"),
                    quoted(name),
                    problem,
                ))
            }
        }
    }

    /// Walks every way down from a page. `above` are the pages that lie above it on this way.
    fn walk<'a>(
        &'a self,
        id: &'a str,
        above: &mut Vec<&'a str>,
        seen: &mut BTreeSet<&'a str>,
    ) -> Result<(), Misfit> {
        above.push(id);
        // A page that was walked before leads to no cycle: the walk would have ended there.
        let page = self.menu.pages.iter().find(|page| page.id == id);
        for entry in page
            .filter(|_| seen.insert(id))
            .into_iter()
            .flat_map(|page| &page.entries)
        {
            let Effect::Open(below) = &entry.effect else {
                continue;
            };
            if above.contains(&below.as_str()) {
                let key = format!("menu.page.{id}.entries");
                let problem = format!("`open {below}` leads back up: a cycle without way back");
                return Err(Misfit::new(key, format!("open {below}"), problem));
            }
            self.walk(below, above, seen)?;
        }
        above.pop();
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
