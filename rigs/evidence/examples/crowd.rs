//! Writes the capture of a crowd to standard output, for `lockstep check`.
//!
//! `cargo run --release -p evidence --example crowd -- 1000000 5000 > crowd.pcap`: messages, then accounts.

#[path = "../benches/crowd/mod.rs"]
mod crowd;

use crowd::Crowd;
use std::io::{self, BufWriter, Write as _};

fn main() -> io::Result<()> {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok());
    let messages = numbers.next().unwrap_or(1_000_000);
    let accounts = numbers.next().unwrap_or(5_000);
    let accounts = usize::try_from(accounts).unwrap_or(usize::MAX);
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    io::copy(&mut Crowd::new(messages, accounts), &mut out)?;
    out.flush()
}
