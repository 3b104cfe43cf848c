//! Lab time in microseconds, the lengths that several rules share, and how findings write them.

/// A millisecond in lab time.
pub(crate) const MILLISECOND: u64 = 1_000;
/// A second in lab time.
pub(crate) const SECOND: u64 = 1_000_000;
/// 64*T1, the lifetime of a non-INVITE client transaction and of Timer N (RFC 3261 §17.1.2.2).
pub(crate) const TIMER_F: u64 = 32 * SECOND;
/// How long a display may take to follow: the limit of MENU-01.
pub(crate) const DISPLAY: u64 = 3 * SECOND;
/// What may pass between two observations of one instant on real sockets: our choice.
pub(crate) const SLACK: u64 = 100 * MILLISECOND;

/// A point in lab time as findings write it.
pub(crate) fn clock(at: u64) -> String {
    format!("{}.{:03} s", at / SECOND, at % SECOND / MILLISECOND)
}

/// A length of lab time as findings write it.
pub(crate) fn span(length: u64) -> String {
    if length < SECOND {
        format!("{} ms", length / MILLISECOND)
    } else {
        format!("{:.1} s", length as f64 / SECOND as f64)
    }
}
