//! The rules, one module for each group of the catalogue; each reads the scene and nothing else.

mod body;
mod change;
pub(crate) mod deadlines;
mod failure;
pub(crate) mod menu;
mod notify;
mod refresh;
pub(crate) mod registration;
pub(crate) mod rule;
mod subscribe;

use rule::Rule;

/// All rules, in the order of the catalogue.
pub(crate) fn all() -> impl Iterator<Item = Box<dyn Rule>> {
    let groups = [
        registration::rules(),
        subscribe::rules(),
        notify::rules(),
        body::rules(),
        menu::rules(),
        change::rules(),
        refresh::rules(),
        failure::rules(),
    ];
    groups.into_iter().flatten()
}
