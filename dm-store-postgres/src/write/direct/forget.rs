//! Forgetting a device.

use dm_core::store::{ForgetDevice, Outcome};

use crate::connection::TimedClient;
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};

/// Deletes a device and its acknowledgements, if the device exists. The user's row must be locked.
pub(crate) async fn forget(client: TimedClient<'_>, write: &ForgetDevice) -> Result<Outcome, Fault> {
    let who = &write.who;
    let params = || vec![param(who.user.as_bytes().as_slice()), param(who.device.as_str())];
    let mut pipeline = Pipeline::new(client);
    pipeline.add("DELETE FROM acked WHERE user_id = $1 AND device = $2", params()).await?;
    pipeline.add("DELETE FROM devices WHERE user_id = $1 AND device = $2 RETURNING true", params()).await?;
    let deleted = pipeline.execute().await?.nth(1).unwrap_or_default();
    Ok(Outcome::DeviceForgotten { existed: !deleted.is_empty() })
}
