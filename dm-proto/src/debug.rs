//! `Debug` of the messages that contain payloads, keys or previews. It shows the lengths of these
//! fields instead of their content, and only the first eight characters of a user's public key.

use std::fmt;

use crate::{DmConversation, DmKeyRotatedEvent, DmPublicKey, DmSend, EncryptedDmMessage};

impl fmt::Debug for DmConversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmConversation")
            .field("id", &self.id)
            .field("participant_a_pubkey", &Prefix(&self.participant_a_pubkey))
            .field("participant_b_pubkey", &Prefix(&self.participant_b_pubkey))
            .field("participant_a_display_name", &self.participant_a_display_name)
            .field("participant_b_display_name", &self.participant_b_display_name)
            .field("created_at", &self.created_at)
            .field("last_message_at", &self.last_message_at)
            .field("last_message_preview", &HiddenBytes(self.last_message_preview.len()))
            .finish()
    }
}

impl fmt::Debug for EncryptedDmMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedDmMessage")
            .field("id", &self.id)
            .field("conversation_id", &self.conversation_id)
            .field("sender_pubkey", &Prefix(&self.sender_pubkey))
            .field("encrypted_payload", &HiddenBytes(self.encrypted_payload.len()))
            .field("nonce", &HiddenBytes(self.nonce.len()))
            .field("ephemeral_pubkey", &HiddenBytes(self.ephemeral_pubkey.len()))
            .field("timestamp", &self.timestamp)
            .field("server_sequence", &self.server_sequence)
            .field("sender_display_name", &self.sender_display_name)
            .field("client_message_id", &self.client_message_id)
            .field("received_at", &self.received_at)
            .field("suite", &self.suite)
            .finish()
    }
}

impl fmt::Debug for DmPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmPublicKey")
            .field("ed25519_pubkey", &Prefix(&self.ed25519_pubkey))
            .field("x25519_pubkey", &HiddenBytes(self.x25519_pubkey.len()))
            .field("published_at", &self.published_at)
            .field("version", &self.version)
            .field("binding", &self.binding)
            .finish()
    }
}

impl fmt::Debug for DmKeyRotatedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmKeyRotatedEvent")
            .field("user_pubkey", &Prefix(&self.user_pubkey))
            .field("new_x25519_pubkey", &HiddenBytes(self.new_x25519_pubkey.len()))
            .field("timestamp", &self.timestamp)
            .field("version", &self.version)
            .finish()
    }
}

impl fmt::Debug for DmSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmSend")
            .field("conversation_id", &self.conversation_id)
            .field("encrypted_payload", &HiddenBytes(self.encrypted_payload.len()))
            .field("nonce", &HiddenBytes(self.nonce.len()))
            .field("ephemeral_pubkey", &HiddenBytes(self.ephemeral_pubkey.len()))
            .field("timestamp", &self.timestamp)
            .field("client_message_id", &self.client_message_id)
            .field("recipient_key_version", &self.recipient_key_version)
            .field("suite", &self.suite)
            .finish()
    }
}

/// Shows the length of a secret value in bytes instead of the value.
struct HiddenBytes(usize);

impl fmt::Debug for HiddenBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0)
    }
}

/// Shows the first eight characters of a user's public key, which are enough to distinguish the
/// users in a log.
struct Prefix<'a>(&'a str);

impl fmt::Debug for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(8) {
            Some((end, _)) => write!(f, "{:?}…", self.0.get(..end).unwrap_or_default()),
            None => fmt::Debug::fmt(self.0, f),
        }
    }
}
