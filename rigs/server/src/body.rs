//! What stands in a NOTIFY: the documents of an event package, alone or in a multipart body, and everything odd that a fault
//! asks for; and what stands in the SUBSCRIBE of a change.
//!
//! The texts are written here and not by the codec of the `sip` crate, so that the base's reader never reads what its own
//! writer wrote; a test lets the codec read every regular form. Numbers are escaped; characters beyond ASCII are written as
//! references, which are right in every encoding a declaration may name.

mod feature_event;
mod hostile;
mod hoteling;

use crate::dialect::{Dialect, FeatureEventPackage, HotelingPackage};
use crate::fault::Action;
use crate::package::Package;
use bytes::Bytes;
use sip::ascii_xml::escaped;
use sip::feature_event::{CONTENT_TYPE, Change};
use sip::message::Message;
use sip::service::{Service, Setting};
use sip::subscription::Content;
use std::fmt::Write as _;

/// What a handset asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceChange {
    pub(crate) service: Service,
    pub(crate) setting: Setting,
}

/// The change in the body of a SUBSCRIBE to this package, if it can be read.
pub(crate) fn change_in(
    dialect: &Dialect,
    package: Package,
    message: &Message,
) -> Option<ServiceChange> {
    let named = message.header("Content-Type").unwrap_or_default();
    let media_type = named.split(';').next().unwrap_or_default().trim();
    match Habits::of(dialect, package)? {
        Habits::FeatureEvent(_) if media_type.eq_ignore_ascii_case(CONTENT_TYPE) => {
            let Change {
                service, setting, ..
            } = Change::parse(message.body()).ok()?;
            Some(ServiceChange { service, setting })
        }
        Habits::Hoteling(habits) if media_type.eq_ignore_ascii_case(&habits.content_type.value) => {
            hoteling::parse(habits, message.body())
        }
        Habits::FeatureEvent(_) | Habits::Hoteling(_) => None,
    }
}

/// The habits of a dialect for the documents of one package.
#[derive(Clone, Copy, Debug)]
enum Habits<'a> {
    FeatureEvent(&'a FeatureEventPackage),
    Hoteling(&'a HotelingPackage),
}

impl<'a> Habits<'a> {
    const fn of(dialect: &'a Dialect, package: Package) -> Option<Self> {
        match package {
            Package::FeatureEvent => match &dialect.package.as_feature_event {
                Some(habits) => Some(Self::FeatureEvent(habits)),
                None => None,
            },
            Package::Hoteling => match &dialect.package.x_broadworks_hoteling {
                Some(habits) => Some(Self::Hoteling(habits)),
                None => None,
            },
        }
    }

    fn content_type(self) -> &'a str {
        match self {
            Self::FeatureEvent(habits) => &habits.content_type.value,
            Self::Hoteling(habits) => &habits.content_type.value,
        }
    }

    fn declaration(self) -> &'a str {
        match self {
            Self::FeatureEvent(habits) => &habits.declaration.value,
            Self::Hoteling(habits) => &habits.declaration.value,
        }
    }

    fn namespace(self) -> &'a str {
        match self {
            Self::FeatureEvent(habits) => &habits.namespace.value,
            Self::Hoteling(habits) => &habits.namespace.value,
        }
    }
}

/// What a fault puts in the place of the usual documents.
#[derive(Clone, Copy, Debug)]
enum Instead<'a> {
    Nothing,
    Text(&'a str, &'a str),
    DtdBomb,
    ExternalEntity(&'a str),
    Malformed,
    Typed(&'a str),
}

/// How the documents of one NOTIFY are written: the habits of the dialect, changed by faults.
#[derive(Clone, Debug)]
struct Form<'a> {
    habits: Habits<'a>,
    namespace: Option<&'a str>,
    colon: &'static str,
    actions: &'a [Action],
    instead: Option<Instead<'a>>,
}

/// The contents of the NOTIFYs of this package that carry these settings: one NOTIFY a value, `None` for one without a
/// body. The actions are those of a fault plan that shape a NOTIFY.
pub(crate) fn contents(
    dialect: &Dialect,
    package: Package,
    actions: &[Action],
    user: &str,
    settings: &[(Service, Setting)],
) -> Vec<Option<Content>> {
    Habits::of(dialect, package).map_or_else(
        || vec![None],
        |habits| Form::new(dialect, habits, actions).contents(user, settings),
    )
}

impl<'a> Form<'a> {
    fn new(dialect: &Dialect, habits: Habits<'a>, actions: &'a [Action]) -> Self {
        let mut form = Self {
            habits,
            namespace: Some(habits.namespace()),
            colon: dialect.style.colon(),
            actions,
            instead: None,
        };
        for action in actions {
            match action {
                Action::Namespace { value } => form.namespace = value.as_deref(),
                other => form.instead = Instead::of(other).or(form.instead),
            }
        }
        form
    }

    fn contents(&self, user: &str, settings: &[(Service, Setting)]) -> Vec<Option<Content>> {
        match self.instead {
            Some(Instead::Nothing) => return vec![None],
            Some(Instead::Text(content_type, text)) => {
                return vec![Some(content(content_type, text))];
            }
            Some(Instead::DtdBomb) => return vec![Some(self.plain(&self.dtd_bomb()))],
            Some(Instead::ExternalEntity(uri)) => {
                return vec![Some(self.plain(&self.external_entity(uri)))];
            }
            Some(Instead::Malformed | Instead::Typed(_)) | None => {}
        }
        let documents = match self.habits {
            Habits::FeatureEvent(habits) => feature_event::documents(self, habits, user, settings),
            Habits::Hoteling(habits) => hoteling::documents(self, habits, settings),
        };
        if let Some(Instead::Malformed) = self.instead {
            let whole = documents.first().map_or("", String::as_str);
            let start = whole.get(..whole.len() * 2 / 3).unwrap_or("<");
            return vec![Some(self.plain(start))];
        }
        let mut contents = match (documents.as_slice(), self.habits) {
            ([], _) => vec![None],
            ([only], _) => vec![Some(self.plain(only))],
            (several, Habits::FeatureEvent(habits)) => {
                feature_event::several(self, habits, several)
            }
            (several, Habits::Hoteling(_)) => self.one_each(several),
        };
        if let Some(Instead::Typed(content_type)) = self.instead {
            for content in contents.iter_mut().flatten() {
                content_type.clone_into(&mut content.content_type);
            }
        }
        contents
    }

    /// A NOTIFY for each document.
    fn one_each(&self, documents: &[String]) -> Vec<Option<Content>> {
        let documents = documents.iter();
        documents
            .map(|document| Some(self.plain(document)))
            .collect()
    }

    /// The root element with the declaration in front of it and this inside.
    fn document(&self, root: &str, inside: &str) -> String {
        let declaration = self.habits.declaration();
        let xmlns = self
            .namespace
            .map_or_else(String::new, |uri| format!(" xmlns=\"{}\"", escaped(uri)));
        format!("{declaration}<{root}{xmlns}>{inside}</{root}>")
    }

    fn plain(&self, document: &str) -> Content {
        content(self.habits.content_type(), document)
    }
}

impl<'a> Instead<'a> {
    fn of(action: &'a Action) -> Option<Self> {
        Some(match action {
            Action::Body { content_type, text } => Self::Text(content_type, text),
            Action::DtdBomb => Self::DtdBomb,
            Action::EmptyBody => Self::Nothing,
            Action::ExternalEntity { uri } => Self::ExternalEntity(uri),
            Action::MalformedXml => Self::Malformed,
            Action::WrongContentType { content_type } => Self::Typed(content_type),
            _ => return None,
        })
    }
}

fn content(content_type: &str, text: &str) -> Content {
    Content {
        content_type: content_type.to_owned(),
        body: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn element(text: &mut String, name: &str, value: &str) {
    let _ = write!(text, "<{name}>{}</{name}>", escaped(value));
}
