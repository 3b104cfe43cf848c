//! Many small pieces of the same work on all cores, with the results in their order.
//!
//! It is for work that only reads and computes; who takes the results is one thread, so that what it makes of them does
//! not depend on how many cores there are.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// How many results may wait for one that takes longer, for each core: our choice.
const AHEAD: usize = 16;

/// Does `work` for 0 up to `count`, and gives each result to `take`, in order.
pub(crate) fn in_order<R: Send>(
    count: usize,
    work: impl Fn(usize) -> R + Sync,
    mut take: impl FnMut(R),
) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cores.min(count) <= 1 {
        return (0..count).map(work).for_each(take);
    }
    let next = AtomicUsize::new(0);
    let (work, next) = (&work, &next);
    thread::scope(|scope| {
        let (done, results) = mpsc::sync_channel(cores * AHEAD);
        for _ in 0..cores.min(count) {
            let done = done.clone();
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count || done.send((at, work(at))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let (mut wanted, mut early) = (0, BTreeMap::new());
        for (at, result) in results {
            early.insert(at, result);
            while let Some(result) = early.remove(&wanted) {
                take(result);
                wanted += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whoever_is_done_first() {
        for count in [0, 1, 2, 1000] {
            let mut taken = Vec::new();
            let slow_at_even =
                |at: usize| (0..(at + 1) % 2 * 5_000).fold(at, |sum, it| sum ^ it ^ it);
            in_order(count, slow_at_even, |at| taken.push(at));
            assert_eq!(taken, (0..count).collect::<Vec<_>>());
        }
    }
}
