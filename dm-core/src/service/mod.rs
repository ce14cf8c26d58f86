//! [`Service`], which a host calls.
//!
//! A write goes from a call of the service into the [`queue`], which gives it to a [`lane`]: a task
//! that commits batches. The lane commits the write in one batch with other writes. The hints of
//! the batch go through the [`relay`] to the notifier. [`reads`] go to the store directly. The
//! crate's front page explains the [terms](crate#terms), such as hint and head.
//!
//! - [`stage`], [`status`], [`in_flight`]: the state of a running service.
//! - [`queue`] has the lanes and chooses one for each write. [`lane_sender`] sends to one lane,
//!   within the limits of the queue. [`lane`] commits batches, one after the other.
//! - [`own_task`], [`reads`], [`inbox_heads`]: reads that run in tasks of their own, so that they
//!   end even if their callers do not poll them.
//! - [`handle`] has the [`Service`]. Its calls are in [`messages`], [`conversations`], [`inbox`],
//!   [`keys`], [`disconnect`] and [`health`]. Its background work is in [`housekeeping`] and in
//!   [`jobs`], which runs jobs such as [`key_announcement`]. [`claim`] lets one node at a time run a
//!   job.
//! - [`builder`] builds and starts a service.

mod builder;
mod claim;
mod conversations;
mod disconnect;
mod handle;
mod health;
mod housekeeping;
mod in_flight;
mod inbox;
mod inbox_heads;
mod jobs;
mod key_announcement;
mod keys;
mod lane;
mod lane_sender;
mod messages;
mod own_task;
mod queue;
mod reads;
mod relay;
mod stage;
mod status;

pub use builder::ServiceBuilder;
pub use conversations::{ConversationPage, Opened};
pub use handle::Service;
pub use health::Health;
pub use housekeeping::Expired;
pub use inbox::{Pending, PendingKind, PendingQuery};
pub use messages::{SendMessage, Sent};
pub(crate) use reads::StoreRead;
