//! WebSockets that request history and do not read the answers.

use std::time::Duration;

use dm_proto::prost::Message as _;
use dm_proto::{DmHistoryRequest, Envelope, envelope::Payload};
use futures_util::SinkExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::attack::attackers::Attackers;
use crate::attack::memory::Bound;
use crate::wire;

/// The number of devices that say hello; a user may have no more. A newer WebSocket of a device
/// ends the older one, so the other WebSockets say no hello, as old clients do.
const DEVICES: usize = 8;
/// The number of requests on each WebSocket, as many as the host works on at a time.
const REQUESTS: u32 = 32;

/// The memory that the attack may cost the host.
pub(super) const COSTS: Bound = Bound {
    mebibytes: 32 + 32 * 2,
    why: "pages for one user (Options::answer_bytes_per_user, 32 MiB), and 32 WebSockets (Options::sockets_per_user) \
          with 1 MiB to write, and a message (Options::max_message) and a page of deliveries in hand",
};

pub(super) async fn ask_and_read_nothing(attackers: &Attackers, n: usize) -> anyhow::Result<()> {
    let (stream, attacker) = (attackers.dial().await?, &attackers.attacker);
    let mut socket = match n < DEVICES {
        true => wire::greet(stream, attacker, &format!("d{n}")).await?,
        false => wire::upgrade(stream, attacker).await?,
    };
    for request in 0..REQUESTS {
        let history = DmHistoryRequest {
            conversation_id: attacker.conversation.to_string(),
            before_sequence: u64::MAX,
            limit: 100,
        };
        let envelope =
            Envelope { request_id: request.to_string(), payload: Some(Payload::DmHistoryRequest(history)) };
        socket.feed(Message::Binary(envelope.encode_to_vec().into())).await?;
    }
    socket.flush().await?;
    // The attackers close before the host does and reconnect, so the attack comes in waves.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    Ok(())
}
