//! Constructors of an [`Envelope`].

use crate::envelope::Payload;
use crate::{DmClientFrame, DmServerFrame, Envelope, dm_client_frame, dm_server_frame};

impl Envelope {
    /// An envelope with a payload. `request_id` is empty if the frame is neither a request nor an
    /// answer.
    pub fn new(request_id: impl Into<String>, payload: Payload) -> Self {
        Self { request_id: request_id.into(), payload: Some(payload) }
    }

    /// An envelope with a server's frame. `request_id` is empty if the frame answers no request.
    ///
    /// ```
    /// use dm_proto::{DmPong, Envelope, dm_server_frame::Frame};
    ///
    /// let answer = Envelope::server("r1", Frame::Pong(DmPong { nonce: 7 }));
    /// ```
    pub fn server(request_id: impl Into<String>, frame: dm_server_frame::Frame) -> Self {
        Self::new(request_id, Payload::DmServerFrame(DmServerFrame { frame: Some(frame) }))
    }

    /// An envelope with a client's frame. The answer of the server repeats `request_id`.
    ///
    /// ```
    /// use dm_proto::{DmHello, Envelope, PROTOCOL_VERSION, dm_client_frame::Frame};
    ///
    /// let protocol = PROTOCOL_VERSION;
    /// let hello = DmHello { device: "laptop".into(), protocol, ..DmHello::default() };
    /// let first = Envelope::client("r1", Frame::Hello(hello));
    /// ```
    pub fn client(request_id: impl Into<String>, frame: dm_client_frame::Frame) -> Self {
        Self::new(request_id, Payload::DmClientFrame(DmClientFrame { frame: Some(frame) }))
    }
}
