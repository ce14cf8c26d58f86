//! Short ways to make an [`Envelope`].

use crate::envelope::Payload;
use crate::{DmClientFrame, DmServerFrame, Envelope, dm_client_frame, dm_server_frame};

impl Envelope {
    /// An envelope with a payload. `request_id` is empty for what answers no request.
    pub fn new(request_id: impl Into<String>, payload: Payload) -> Self {
        Self { request_id: request_id.into(), payload: Some(payload) }
    }

    /// An envelope with a frame of a server. `request_id` is empty for what answers no request.
    ///
    /// ```
    /// use dm_proto::{DmPong, Envelope, dm_server_frame::Frame};
    ///
    /// let answer = Envelope::server("r1", Frame::Pong(DmPong { nonce: 7 }));
    /// ```
    pub fn server(request_id: impl Into<String>, frame: dm_server_frame::Frame) -> Self {
        Self::new(request_id, Payload::DmServerFrame(DmServerFrame { frame: Some(frame) }))
    }

    /// An envelope with a frame of a client. `request_id` is repeated in the answer.
    ///
    /// ```
    /// use dm_proto::{DmHello, Envelope, dm_client_frame::Frame};
    ///
    /// let hello = DmHello { device: "laptop".into(), protocol: 1, ..DmHello::default() };
    /// let first = Envelope::client("r1", Frame::Hello(hello));
    /// ```
    pub fn client(request_id: impl Into<String>, frame: dm_client_frame::Frame) -> Self {
        Self::new(request_id, Payload::DmClientFrame(DmClientFrame { frame: Some(frame) }))
    }
}
