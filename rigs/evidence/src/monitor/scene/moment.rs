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
    /// Lab time has gone on; what comes at this time has not happened yet.
    Clock,
    /// The account was provisioned anew, switched or deleted.
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
