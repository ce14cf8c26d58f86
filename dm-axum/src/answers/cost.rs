//! The bytes that an answer takes.

use dm_core::Config;

/// Most bytes of a message in JSON beside its payload: ids, names of fields, and a display name of
/// 128 characters that are all escaped.
const MESSAGE_OVERHEAD: usize = 1_536;

/// Most bytes of memory that a page of messages takes while an answer is made of it: the page, and
/// the JSON with its payloads in base64.
pub(crate) fn cost_of_messages(config: &Config, messages: usize, page_bytes: usize) -> usize {
    // A page ends after the message that exceeds its bytes.
    let payloads = page_bytes
        .saturating_add(config.max_payload)
        .min(messages.saturating_mul(config.max_payload.saturating_add(MESSAGE_OVERHEAD)));
    let base64 = payloads.div_ceil(3).saturating_mul(4);
    payloads.saturating_add(base64).saturating_add(messages.saturating_mul(MESSAGE_OVERHEAD))
}
