//! The only place that knows everything: plans what runs, performs the steps of the features on a bench, and is the
//! command line.
//!
//! Features are read by [`plan`], crossed with rigs, faces, dialects and laboratories, and run by [`suite`] through cucumber. Each case has
//! its [`scene`] on a thread of its own. Verdicts are not made here: they are folded from the evidence.

pub mod calibration;
pub mod catalogue_tags;
pub mod cli;
pub mod command;
pub mod opener;
pub mod plan;
pub mod scene;
pub mod sight;
pub mod snapshot;
pub mod stage;
pub mod step;
pub mod suite;
pub mod vocabulary;
pub mod world;
