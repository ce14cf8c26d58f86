//! Lists and forgets devices: `GET /api/dm/devices`, `DELETE /api/dm/devices/{device}`.
//!
//! These calls do not register the caller's device. So a device that cannot register, because its
//! user has too many devices, can forget another device first.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use dm_core::{DeviceId, DeviceState};
use serde::Serialize;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;

#[derive(Serialize)]
pub(crate) struct DevicesJson {
    devices: Vec<DeviceJson>,
}

#[derive(Serialize)]
struct DeviceJson {
    device: String,
    registered_at: u64,
    cursor: u64,
}

impl From<DeviceState> for DeviceJson {
    fn from(state: DeviceState) -> Self {
        Self {
            device: state.device.to_string(),
            registered_at: state.registered_at.as_millis(),
            cursor: state.cursor.get(),
        }
    }
}

/// Lists the caller's devices in the order of their registration, oldest first.
pub(crate) async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<DevicesJson>, Problem> {
    let devices = api.service.devices(&caller.principal).await?;
    Ok(Json(DevicesJson { devices: devices.into_iter().map(DeviceJson::from).collect() }))
}

/// Forgets one of the caller's devices, and closes its WebSockets.
pub(crate) async fn forget(
    State(api): State<Arc<Api>>,
    caller: Caller,
    path: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let malformed = |_| Problem::malformed("device", "not 1 to 64 characters of A-Z a-z 0-9 . _ -");
    let Path(text) = path.map_err(|_| Problem::malformed("device", "not a path segment"))?;
    let device: DeviceId = text.parse().map_err(malformed)?;
    let existed = api.service.forget_device(&caller.principal, device).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(dm_core::Error::NotFound.into()) }
}
