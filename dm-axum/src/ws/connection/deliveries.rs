//! Writes the deliveries of the session to the client.

use dm_core::{Delivery, SessionEnd};
use futures_util::FutureExt as _;

use super::Connection;
use crate::names::Names;
use crate::render;
use crate::ws::close::Close;

/// Maximum number of deliveries that are written together. They share one look-up of display names
/// and one write to the socket.
const MAX_TOGETHER: usize = 32;

impl Connection {
    /// Writes a delivery together with the next ones that are ready in the session. If the session
    /// has ended, first writes the deliveries before the end and then fails with the reason.
    pub(super) async fn deliver(&mut self, first: Result<Delivery, SessionEnd>) -> Result<(), Close> {
        let mut ready = Vec::new();
        let mut next = Some(first);
        let end = loop {
            match next {
                Some(Ok(delivery)) => ready.push(delivery),
                Some(Err(end)) => break Some(Close::from(&end)),
                None => break None,
            }
            next = if ready.len() < MAX_TOGETHER { self.session.next().now_or_never() } else { None };
        };
        let names =
            Names::look_up(&self.api.service, ready.iter().flat_map(render::named_users).collect()).await;
        let frames = self.dialect.delivery_frames(&ready, &names);
        self.write(frames).await?;
        // A seed client acknowledges these deliveries by answering the next ping.
        self.ping_if_wanted();
        end.map_or(Ok(()), Err)
    }
}
