//! `Debug` of the messages that contain payloads, keys, identities or previews. It shows their
//! lengths, and only the beginning of identities.

use std::fmt;

use crate::{DmConversation, DmKeyRotatedEvent, DmPublicKey, DmSend, EncryptedDmMessage};

impl fmt::Debug for DmConversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmConversation")
            .field("id", &self.id)
            .field("participant_a_pubkey", &Beginning(&self.participant_a_pubkey))
            .field("participant_b_pubkey", &Beginning(&self.participant_b_pubkey))
            .field("participant_a_display_name", &self.participant_a_display_name)
            .field("participant_b_display_name", &self.participant_b_display_name)
            .field("created_at", &self.created_at)
            .field("last_message_at", &self.last_message_at)
            .field("last_message_preview", &Length(self.last_message_preview.len()))
            .finish()
    }
}

impl fmt::Debug for EncryptedDmMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedDmMessage")
            .field("id", &self.id)
            .field("conversation_id", &self.conversation_id)
            .field("sender_pubkey", &Beginning(&self.sender_pubkey))
            .field("encrypted_payload", &Length(self.encrypted_payload.len()))
            .field("nonce", &Length(self.nonce.len()))
            .field("ephemeral_pubkey", &Length(self.ephemeral_pubkey.len()))
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
            .field("ed25519_pubkey", &Beginning(&self.ed25519_pubkey))
            .field("x25519_pubkey", &Length(self.x25519_pubkey.len()))
            .field("published_at", &self.published_at)
            .field("version", &self.version)
            .field("binding", &self.binding)
            .finish()
    }
}

impl fmt::Debug for DmKeyRotatedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmKeyRotatedEvent")
            .field("user_pubkey", &Beginning(&self.user_pubkey))
            .field("new_x25519_pubkey", &Length(self.new_x25519_pubkey.len()))
            .field("timestamp", &self.timestamp)
            .field("version", &self.version)
            .finish()
    }
}

impl fmt::Debug for DmSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmSend")
            .field("conversation_id", &self.conversation_id)
            .field("encrypted_payload", &Length(self.encrypted_payload.len()))
            .field("nonce", &Length(self.nonce.len()))
            .field("ephemeral_pubkey", &Length(self.ephemeral_pubkey.len()))
            .field("timestamp", &self.timestamp)
            .field("client_message_id", &self.client_message_id)
            .field("recipient_key_version", &self.recipient_key_version)
            .field("suite", &self.suite)
            .finish()
    }
}

/// Shows the length of a secret value in bytes instead of the value.
struct Length(usize);

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0)
    }
}

/// Shows the first eight characters of an identity, which are enough to distinguish a few users.
struct Beginning<'a>(&'a str);

impl fmt::Debug for Beginning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(8) {
            Some((end, _)) => write!(f, "{:?}…", self.0.get(..end).unwrap_or_default()),
            None => fmt::Debug::fmt(self.0, f),
        }
    }
}
