//! The server against a peer made of text, on virtual time.

mod bodies;
mod calls;
mod control;
mod faults;
mod garbage;
mod hoteling;
mod mechanisms;
mod odd_notify;
mod peer;
mod portal;
mod registration;
mod sites;
mod subscription;
