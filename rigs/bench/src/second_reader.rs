//! A second reading of the messages of the evidence, by a reader of SIP that is not ours.
//!
//! The wire laboratory reads each message twice when it leaves its source; a check of other people's captures may do the
//! same with [`disagreement`]. Two readings that differ say that one of the two readers is wrong, not which, and nothing
//! about the base: a case with such a message proves nothing. What `sip::second_reader` lists as beyond its reader is none.

use evidence::record::{Direction, Sip};
use sip::second_reader::{Comparison, compare};

/// What two readers say differently of this message, in words that name the message; nothing when they agree, or when
/// the second one is known not to read such a message.
#[must_use]
pub fn disagreement(sip: &Sip) -> Option<String> {
    let message = sip.message();
    let Comparison::Disagreement(told) = compare(&sip.bytes, message.as_deref()) else {
        return None;
    };
    let whose = match sip.direction {
        Direction::FromBase => "the base",
        Direction::ToBase => "the server",
    };
    let line = sip.bytes.split(|byte| b"\r\n".contains(byte)).next();
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    Some(format!("`{line}` of {whose}: {told}"))
}
