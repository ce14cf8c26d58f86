//! Field numbers of the payloads of an [`Envelope`](crate::Envelope). A reader needs them to check
//! a frame before it decodes the frame.

use std::ops::RangeInclusive;

/// All field numbers that belong to direct messages. A host's own payloads use other numbers.
pub const PAYLOADS: RangeInclusive<u32> = 150..=159;
/// Field number of [`DmHistoryRequest`](crate::DmHistoryRequest).
pub const HISTORY_REQUEST: u32 = 153;
/// Field number of [`DmConversationListRequest`](crate::DmConversationListRequest).
pub const CONVERSATION_LIST_REQUEST: u32 = 155;
/// Field number of [`DmClientFrame`](crate::DmClientFrame).
pub const CLIENT_FRAME: u32 = 159;
/// Field numbers of the payloads that a client sends. Only a server sends the payloads with the
/// other numbers of [`PAYLOADS`].
pub const FROM_CLIENTS: [u32; 3] = [HISTORY_REQUEST, CONVERSATION_LIST_REQUEST, CLIENT_FRAME];

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost::encoding::decode_key;

    use super::*;
    use crate::envelope::Payload;
    use crate::{DmClientFrame, DmConversationListRequest, DmHistoryRequest, Envelope};

    #[test]
    fn the_payloads_of_clients_are_encoded_under_these_numbers() {
        let payloads = [
            Payload::DmHistoryRequest(DmHistoryRequest::default()),
            Payload::DmConversationListRequest(DmConversationListRequest {}),
            Payload::DmClientFrame(DmClientFrame::default()),
        ];
        let numbers = payloads.map(|payload| {
            let frame = Envelope::new("", payload).encode_to_vec();
            decode_key(&mut frame.as_slice()).unwrap().0
        });
        assert_eq!(numbers, FROM_CLIENTS);
        assert!(FROM_CLIENTS.iter().all(|number| PAYLOADS.contains(number)));
    }
}
