//! The pages of the menu tree and what their entries open.

use super::texts::Texts;
use sip::feature_event::Service;

/// One page with entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    AudioSettings,
    CallDivert,
    Main,
    SelectServices,
    Settings,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Editor(Service),
    Page(Page),
    /// The ringer's own Do Not Disturb.
    Ringer,
}

impl Page {
    /// The page that opens the editor of this service.
    pub(super) const fn of(service: Service) -> Self {
        if service.forwards() {
            Self::CallDivert
        } else {
            Self::SelectServices
        }
    }

    /// The page that opens this one; above the first one lies the idle screen.
    pub(super) const fn parent(self) -> Option<Self> {
        match self {
            Self::AudioSettings => Some(Self::Settings),
            Self::CallDivert => Some(Self::SelectServices),
            Self::Main => None,
            Self::SelectServices | Self::Settings => Some(Self::Main),
        }
    }

    /// What can be chosen.
    pub(super) const fn entries(self) -> &'static [Entry] {
        match self {
            Self::AudioSettings => &[Entry::Ringer],
            Self::CallDivert => &[
                Entry::Editor(Service::CallForwardingAlways),
                Entry::Editor(Service::CallForwardingBusy),
                Entry::Editor(Service::CallForwardingNoAnswer),
            ],
            Self::Main => &[
                Entry::Page(Self::SelectServices),
                Entry::Page(Self::Settings),
            ],
            Self::SelectServices => &[
                Entry::Editor(Service::DoNotDisturb),
                Entry::Page(Self::CallDivert),
            ],
            Self::Settings => &[Entry::Page(Self::AudioSettings)],
        }
    }

    /// Where this entry stands on the page.
    pub(super) fn position(self, entry: Entry) -> usize {
        let mut entries = self.entries().iter();
        entries.position(|one| *one == entry).unwrap_or(0)
    }

    /// The headline, which is also the entry that opens the page.
    pub(super) fn title(self, texts: &Texts) -> &str {
        match self {
            Self::AudioSettings => &texts.audio_settings,
            Self::CallDivert => &texts.call_divert,
            Self::Main => &texts.main_menu,
            Self::SelectServices => &texts.select_services,
            Self::Settings => &texts.settings,
        }
    }
}

impl Entry {
    /// The line on its page.
    pub(super) fn label(self, texts: &Texts) -> &str {
        match self {
            Self::Editor(service) => &texts.service(service).title,
            Self::Page(page) => page.title(texts),
            Self::Ringer => &texts.ringer_dnd,
        }
    }
}
