//! Answers a hello: registers the device and starts its session.

use dm_core::{DeviceId, DeviceStart, Error, InboxSeq, Principal, Session};
use dm_proto::{DmHello, DmWelcome, PROTOCOL_VERSION};

use super::close::Close;
use crate::api::Api;
use crate::problem::{Kind, Problem};

/// Size in bytes of the frame of a send without its payload, rounded up. The frame must fit into
/// [`Options::max_message`](crate::Options::max_message).
const SEND_OVERHEAD: usize = 1024;

/// An accepted hello.
pub(super) struct Welcomed {
    /// The user, and the device that the hello names.
    pub(super) principal: Principal,
    /// The session of that device.
    pub(super) session: Session,
    /// The answer to the hello.
    pub(super) welcome: DmWelcome,
}

/// A refused hello: the answer, and the reason to close the connection after the answer.
pub(super) struct HelloRefused {
    pub(super) problem: Problem,
    pub(super) close: Close,
}

/// Registers the device that a hello names, and starts the session of this device.
pub(super) async fn welcome(
    api: &Api,
    principal: &Principal,
    hello: &DmHello,
) -> Result<Welcomed, HelloRefused> {
    let refused = |problem| HelloRefused { problem, close: Close::Refused };
    let failed = |error: Error| {
        let close = match &error {
            Error::TooManyDevices { .. } => Close::Refused,
            error => Close::from_error(error),
        };
        HelloRefused { problem: error.into(), close }
    };
    if hello.protocol != PROTOCOL_VERSION {
        return Err(refused(Problem::not_acceptable("protocol", "only version 1 is supported")));
    }
    let named = Some(hello.device.as_str()).filter(|device| !device.is_empty());
    let principal = with_named_device(principal, named).map_err(refused)?;
    let start = if hello.start_now { DeviceStart::Now } else { DeviceStart::Oldest };
    let session = api.service.connect_from(&principal, start).await.map_err(failed)?;
    let devices = api.service.devices(&principal).await.map_err(failed)?;
    let cursor = devices.iter().find(|state| state.device == principal.device).map(|state| state.cursor);
    let config = api.service.config();
    let max_payload = config.max_payload.min(api.options.max_message.saturating_sub(SEND_OVERHEAD));
    let welcome = DmWelcome {
        device: principal.device.to_string(),
        cursor: cursor.unwrap_or(InboxSeq::ZERO).get(),
        window: u32::try_from(config.window).unwrap_or(u32::MAX),
        max_payload: u32::try_from(max_payload).unwrap_or(u32::MAX),
    };
    Ok(Welcomed { principal, session, welcome })
}

/// Returns the user of `principal` with the device that the client has named, or `principal` itself
/// if the client has named none. If the device of `principal` is not the default device, the client
/// may only name the same device.
pub(super) fn with_named_device(principal: &Principal, named: Option<&str>) -> Result<Principal, Problem> {
    let Some(named) = named else { return Ok(principal.clone()) };
    let device: DeviceId = named
        .parse()
        .map_err(|_| Problem::malformed("device", "not 1 to 64 characters of A-Z a-z 0-9 . _ -"))?;
    if !principal.device.is_default() && principal.device != device {
        return Err(Problem::new(Kind::ForeignDevice, "the login is for another device").with_field("device"));
    }
    Ok(Principal::new(principal.user, device))
}
