//! The way from the root of a menu to the page that is open, with the cursor of every page on it.
//!
//! Back retraces it: each page is found again as it was left.

use super::tree::{Entry, Menu, Page};

/// One page with its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Where the page stands in the menu's list.
    page: usize,
    /// Below the number of its entries.
    cursor: usize,
}

/// The pages from the root down to the open one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    above: Vec<Place>,
    open: Place,
}

impl Path {
    /// The root alone.
    pub(super) const fn new(root: usize) -> Self {
        Self {
            above: Vec::new(),
            open: Place {
                page: root,
                cursor: 0,
            },
        }
    }

    /// With this page open below the one that was.
    pub(super) fn enter(mut self, page: usize) -> Self {
        self.above.push(self.open);
        self.open = Place { page, cursor: 0 };
        self
    }

    /// Without the page that was open; none when that was the root.
    pub(super) fn leave(mut self) -> Option<Self> {
        self.open = self.above.pop()?;
        Some(self)
    }

    /// The line that the cursor is on.
    pub(super) const fn cursor(&self) -> usize {
        self.open.cursor
    }

    pub(super) fn move_cursor(&mut self, menu: &Menu, down: bool) {
        let count = self.page(menu).map_or(1, |page| page.entries.len().max(1));
        let step = if down { 1 } else { count - 1 };
        self.open.cursor = (self.open.cursor + step) % count;
    }

    /// The open page.
    pub(super) fn page<'m>(&self, menu: &'m Menu) -> Option<&'m Page> {
        menu.pages.get(self.open.page)
    }

    /// The entry under the cursor.
    pub(super) fn entry<'m>(&self, menu: &'m Menu) -> Option<&'m Entry> {
        self.page(menu)?.entries.get(self.open.cursor)
    }
}
