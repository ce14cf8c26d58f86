//! [`Write`], a change of a store as data, and [`Outcome`], its result.
//!
//! - [`actions`]: what a write does to conversations, messages, devices and inboxes.
//! - [`conditions`]: what must hold for it.
//! - [`effects`]: what it changes besides, in records, gates and inboxes.
//! - [`validate`]: which writes are acceptable at all.
//! - [`outcome`]: its result.

mod actions;
mod conditions;
mod effects;
mod outcome;
mod validate;

pub use actions::{
    AckTarget, Acknowledge, Action, AppendMessage, DeviceStart, Expire, ForgetDevice, OpenConversation,
    RegisterDevice,
};
pub use conditions::{Expect, Party};
pub use effects::{Change, Post, Put};
pub use outcome::{Acknowledged, Answer, Appended, Done, Outcome, Registered};

/// One write, as data: an action, conditions and effects. All of it happens, or the write is
/// refused and nothing happens. A store checks and applies the writes of a batch in their order.
///
/// [`Write::apply`] has the order of all checks and changes, so that every store has the same.
#[derive(Clone, Debug, Default)]
pub struct Write {
    /// The action.
    pub action: Action,
    /// The conditions, at most [`MAX_EXPECTS`](Self::MAX_EXPECTS).
    pub expects: Vec<Expect>,
    /// The changes of records and gates, at most [`MAX_CHANGES`](Self::MAX_CHANGES). No key may be
    /// in two of them.
    pub changes: Vec<Change>,
    /// The entries to append to inboxes, at most [`MAX_POSTS`](Self::MAX_POSTS).
    pub posts: Vec<Post>,
}

impl Write {
    /// Maximum number of conditions.
    pub const MAX_EXPECTS: usize = 64;
    /// Maximum number of changes.
    pub const MAX_CHANGES: usize = 64;
    /// Maximum number of posts.
    pub const MAX_POSTS: usize = 1024;
    /// Maximum length of all values that the changes store, in bytes.
    pub const MAX_VALUES: usize = 1024 * 1024;

    /// An action without conditions and effects.
    #[must_use]
    pub const fn new(action: Action) -> Self {
        Self { action, expects: Vec::new(), changes: Vec::new(), posts: Vec::new() }
    }

    /// This write with one more condition.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expects.push(expect);
        self
    }

    /// This write with one more change.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// This write with one more entry to append.
    #[must_use]
    pub fn post(mut self, post: Post) -> Self {
        self.posts.push(post);
        self
    }
}

/// Makes a write of an action without conditions and effects.
macro_rules! write_from {
    ($($action:ident),*) => {$(
        impl From<$action> for Write {
            fn from(action: $action) -> Self {
                Self::new(Action::$action(action))
            }
        }
    )*};
}
write_from!(OpenConversation, AppendMessage, Acknowledge, RegisterDevice, ForgetDevice, Expire);
