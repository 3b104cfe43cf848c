//! The monitor's own reader of `as-feature-event` bodies.
