//! The defect of the stores that the current thread makes.

use std::cell::Cell;

use super::defect::Make;

thread_local! {
    /// The defect of the stores that this thread makes. It is no type parameter, so that the cases
    /// are compiled once.
    pub(super) static CHOSEN: Cell<Option<Make>> = const { Cell::new(None) };
}

/// The defect that is examined, to pass it on to a thread that this one starts.
#[derive(Clone, Copy)]
pub(crate) struct Examined(Option<Make>);

impl Examined {
    pub(crate) fn of_this_thread() -> Self {
        Self(CHOSEN.get())
    }

    pub(crate) fn on_this_thread(self) {
        CHOSEN.set(self.0);
    }
}
