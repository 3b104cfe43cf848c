//! The server against a peer made of text, on virtual time.

mod bodies;
mod calls;
mod control;
mod faults;
mod garbage;
mod odd_notify;
mod peer;
mod registration;
mod subscription;
