//! [`cost_of_messages`]: the memory that a page of messages takes while it is being built.

use dm_core::Config;

/// Maximum size in bytes of a message in JSON without its payload. It covers ids, names of fields,
/// and a display name of 128 characters that are all escaped.
const MESSAGE_OVERHEAD: usize = 1_536;

/// Maximum memory in bytes that an answer with a page of messages takes while it is being built:
/// the page from the store, and the JSON with the payloads in base64.
///
/// `messages` is the maximum number of messages in the page. `page_bytes` is the maximum size of
/// the page in bytes; its last message may go beyond it.
pub(crate) fn cost_of_messages(config: &Config, messages: usize, page_bytes: usize) -> usize {
    // The last message may begin just below `page_bytes`. If the page has few messages, their
    // number gives a lower maximum.
    let payloads = page_bytes
        .saturating_add(config.max_payload)
        .min(messages.saturating_mul(config.max_payload.saturating_add(MESSAGE_OVERHEAD)));
    let base64 = payloads.div_ceil(3).saturating_mul(4);
    payloads.saturating_add(base64).saturating_add(messages.saturating_mul(MESSAGE_OVERHEAD))
}
