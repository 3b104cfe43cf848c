//! The two faces of a base besides SIP. Both are pure: bytes and requests in, bytes and answers out, and in between the
//! questions that only the base can answer.
//!
//! Neither shows more than a display and an admin page do. No public description of the console or of most of the web
//! interface of these bases exists, so both are the rig's own convention and are labelled so in profiles.

pub mod console;
pub mod web;
