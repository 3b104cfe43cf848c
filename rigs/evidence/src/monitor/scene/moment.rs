//! What rules are told: something happened, at this place of the scene.

use super::history::Place;

/// Something that happened. What it happened to stands in the scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A final response to a request of the base reached it, the first one.
    Answer(Place),
    /// A request reached the base for the first time.
    Arrival(Place),
    /// A request reached the base again.
    ArrivalCopy(Place),
    /// The base restarted and has forgotten everything.
    Boot,
    /// A display was read and says what a NOTIFY lets it say, or not.
    Check(usize),
    /// The log has ended.
    End,
    /// Lab time has gone beyond a deadline of the rule; what comes at this time has not happened yet.
    Clock,
    /// The account was provisioned anew, switched or deleted; or it was given up, and its number is free for another.
    Provisioned(usize),
    /// The base answered a request, for the first time or again.
    Reply(Place),
    /// The base sent a request for the first time.
    Request(Place),
    /// The base sent a request again.
    RequestCopy(Place),
    /// A display that does not follow a server was read.
    UnsyncedScreen(usize),
    /// A user completed a change at a handset.
    Change(Place),
}

/// The kind of a moment, one bit each, and any set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

impl Kinds {
    pub(crate) const ANSWER: Self = Self(1);
    pub(crate) const ARRIVAL: Self = Self(1 << 1);
    pub(crate) const ARRIVAL_COPY: Self = Self(1 << 2);
    pub(crate) const BOOT: Self = Self(1 << 3);
    pub(crate) const CHECK: Self = Self(1 << 4);
    pub(crate) const END: Self = Self(1 << 6);
    pub(crate) const PROVISIONED: Self = Self(1 << 7);
    pub(crate) const REPLY: Self = Self(1 << 8);
    pub(crate) const REQUEST: Self = Self(1 << 9);
    pub(crate) const REQUEST_COPY: Self = Self(1 << 10);
    pub(crate) const UNSYNCED_SCREEN: Self = Self(1 << 11);
    pub(crate) const CHANGE: Self = Self(1 << 12);

    /// All of these.
    pub(crate) const fn of(kinds: &[Self]) -> Self {
        let (mut all, mut rest) = (0, kinds);
        while let [first, others @ ..] = rest {
            all |= first.0;
            rest = others;
        }
        Self(all)
    }

    /// Whether they have a kind in common.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Moment {
    pub(crate) const fn kind(self) -> Kinds {
        match self {
            Self::Answer(_) => Kinds::ANSWER,
            Self::Arrival(_) => Kinds::ARRIVAL,
            Self::ArrivalCopy(_) => Kinds::ARRIVAL_COPY,
            Self::Boot => Kinds::BOOT,
            Self::Check(_) => Kinds::CHECK,
            // It wakes the rules that have a deadline behind them, and is asked for by none.
            Self::Clock => Kinds::of(&[]),
            Self::End => Kinds::END,
            Self::Provisioned(_) => Kinds::PROVISIONED,
            Self::Reply(_) => Kinds::REPLY,
            Self::Request(_) => Kinds::REQUEST,
            Self::RequestCopy(_) => Kinds::REQUEST_COPY,
            Self::UnsyncedScreen(_) => Kinds::UNSYNCED_SCREEN,
            Self::Change(_) => Kinds::CHANGE,
        }
    }
}
