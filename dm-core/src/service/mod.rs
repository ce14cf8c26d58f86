//! The service: what a host calls.
//!
//! A write goes from a call of the service into the [`queue`], from there to a [`lane`], and with
//! others to the store; its hints go through the [`relay`] to the notifier. [`reads`] go to the store
//! at once.
//!
//! - [`stage`], [`status`], [`under_way`]: what is known of a running service.
//! - [`lane`] commits batches, one after the other; [`job_sender`] is the way to it, [`queue`] the way to
//!   all lanes.
//! - [`own_task`], [`reads`], [`inbox_heads`]: reads that go on while nobody polls them.
//! - [`handle`]: the service itself. Its calls: [`messages`], [`conversations`], [`inbox`], [`keys`],
//!   [`disconnect`], [`health`]; its work in the background: [`housekeeping`].
//! - [`builder`] puts it together.

mod builder;
mod conversations;
mod disconnect;
mod handle;
mod health;
mod housekeeping;
mod inbox;
mod inbox_heads;
mod job_sender;
mod keys;
mod lane;
mod messages;
mod own_task;
mod queue;
mod reads;
mod relay;
mod stage;
mod status;
mod under_way;

pub use builder::ServiceBuilder;
pub use conversations::{ConversationPage, Opened};
pub use handle::Service;
pub use health::Health;
pub use housekeeping::Expired;
pub use inbox::{Pending, PendingKind, PendingQuery};
pub use messages::{SendMessage, Sent};
pub(crate) use reads::Reading;
