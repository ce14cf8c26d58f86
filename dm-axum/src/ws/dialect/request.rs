//! [`Request`]: a request of a client, as a dialect reads it from a frame.

use dm_proto::{DmHello, DmHistoryRequest, DmSend, dm_server_frame};

/// A request of a client, for the connection to handle.
#[derive(Debug)]
pub(crate) enum Request {
    /// Read a page of a conversation.
    History(DmHistoryRequest),
    /// Read the list of conversations.
    Conversations,
    /// Register the device, start its session, and change to the dialect after a hello.
    Hello(DmHello),
    /// Store a message.
    Send(DmSend),
    /// Store the dialect's next acknowledgement. The dialect has put the request into its queue.
    Acknowledge,
    /// Write this answer under the id of the request: the request needs no work.
    Answer(dm_server_frame::Frame),
}
