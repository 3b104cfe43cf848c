//! One HTML file that needs nothing else: verdicts, steps, findings, ladders, displays, console.
//!
//! The page is written part by part, so that it is never in memory as a whole. It begins with what a reader looks for: the
//! findings, and the features with what did not pass. The details of cases that passed stand compressed at its end, where they
//! delay nothing, and are unpacked when a reader opens a case; those of what did not pass can be read without a script.

use crate::run::Run;
use crate::view::{BottomView, Details, Feature, FeatureView, TopView};
use crate::{cores, packed, template};
use std::io::{self, Write};

/// Writes the page of a run.
///
/// # Errors
/// When it cannot be written.
pub fn write(run: &Run, out: &mut impl Write) -> io::Result<()> {
    let mut put = |part: &str| out.write_all(part.as_bytes());
    put(&template::fill(template::TOP, &TopView::new(run)))?;
    let features = Feature::all(run);
    for feature in &features {
        put(&template::fill(
            template::FEATURE,
            &FeatureView::new(feature),
        ))?;
    }
    put(&template::fill(template::BOTTOM, &BottomView::new(run)))?;
    let mut blocks = Vec::new();
    for case in features.iter().flat_map(|feature| &feature.cases) {
        if let Details::Packed { block, .. } = case.details {
            blocks.resize_with(block + 1, Vec::new);
            blocks[block].push(&case.sheet.details);
        }
    }
    let pack = |at: usize| (at, packed::block(blocks[at].iter().copied()));
    let mut written = Ok(());
    cores::in_order(blocks.len(), pack, |(at, block)| {
        if written.is_ok() {
            written = put(&format!(
                "<script type=\"text/plain\" id=\"z{at}\">{block}</script>\n"
            ));
        }
    });
    written?;
    put(&template::fill(template::END, &()))
}
