//! The server against a peer made of text, on virtual time.

mod calls;
mod control;
mod faults;
mod odd_notify;
mod peer;
mod registration;
mod subscription;
