//! Connections that said hello: their greeting, and deliveries with positions.

use dm_core::{Delivery, DeviceId, DeviceStart, Error, GapReason, InboxSeq, Principal, Session};
use dm_proto::{
    DmCaughtUp, DmDelivery, DmGap, DmGoingAway, DmHello, DmWelcome, Envelope, dm_gap::Reason,
    dm_server_frame::Frame,
};

use super::close::Close;
use crate::api::Api;
use crate::names::Names;
use crate::problem::{Kind, Problem};
use crate::render;

/// The dialect spoken.
const PROTOCOL: u32 = 1;
/// Bytes of a send's frame beside its payload, generously.
const SEND_OVERHEAD: usize = 1024;
/// How long a client that is sent away should stay away, in milliseconds.
const RECONNECT_AFTER_MS: u64 = 1_000;

/// A hello that was answered with a welcome.
pub(super) struct Welcomed {
    pub(super) who: Principal,
    pub(super) session: Session,
    pub(super) welcome: DmWelcome,
}

/// A hello that was not.
pub(super) struct Refused {
    pub(super) problem: Problem,
    pub(super) close: Close,
}

/// Registers the device that a hello speaks for, and starts its session.
pub(super) async fn greet(api: &Api, who: &Principal, hello: &DmHello) -> Result<Welcomed, Refused> {
    let refused = |problem| Refused { problem, close: Close::Refused };
    let failed = |error: Error| {
        let close = match &error {
            Error::TooManyDevices { .. } => Close::Refused,
            error => Close::of(error),
        };
        Refused { problem: error.into(), close }
    };
    if hello.protocol != PROTOCOL {
        return Err(refused(Problem::not_acceptable("protocol", "only 1 is spoken here")));
    }
    let named = Some(hello.device.as_str()).filter(|device| !device.is_empty());
    let who = named_device(who, named).map_err(refused)?;
    let start = if hello.start_now { DeviceStart::Now } else { DeviceStart::Oldest };
    let session = api.service.connect_from(&who, start).await.map_err(failed)?;
    let devices = api.service.devices(&who).await.map_err(failed)?;
    let cursor = devices.iter().find(|state| state.device == who.device).map(|state| state.cursor);
    let config = api.service.config();
    let max_payload = config.max_payload.min(api.options.max_message.saturating_sub(SEND_OVERHEAD));
    let welcome = DmWelcome {
        device: who.device.to_string(),
        cursor: cursor.unwrap_or(InboxSeq::ZERO).get(),
        window: u32::try_from(config.window).unwrap_or(u32::MAX),
        max_payload: u32::try_from(max_payload).unwrap_or(u32::MAX),
    };
    Ok(Welcomed { who, session, welcome })
}

/// The principal on the device that a client names: its own, or any if the host told no devices apart.
pub(super) fn named_device(who: &Principal, named: Option<&str>) -> Result<Principal, Problem> {
    let Some(named) = named else { return Ok(who.clone()) };
    let device: DeviceId = named
        .parse()
        .map_err(|_| Problem::malformed("device", "not 1 to 64 characters of A-Z a-z 0-9 . _ -"))?;
    if !who.device.is_default() && who.device != device {
        return Err(Problem::new(Kind::ForeignDevice, "the session is another device's").about("device"));
    }
    Ok(Principal::new(who.user, device))
}

/// A delivery with its position.
pub(super) fn delivery(delivery: &Delivery, names: &Names) -> Envelope {
    let frame = match delivery {
        Delivery::Entry(entry) => Frame::Delivery(DmDelivery {
            position: entry.seq.get(),
            at: entry.at.as_millis(),
            event: render::delivered(entry, names),
        }),
        Delivery::Gap(gap) => {
            let reason = match gap.reason {
                GapReason::Expired => Reason::Expired,
                _ => Reason::Unspecified,
            };
            Frame::Gap(DmGap { from: gap.from.get(), to: gap.to.get(), reason: reason.into() })
        }
        Delivery::CaughtUp { position } => Frame::CaughtUp(DmCaughtUp { position: position.get() }),
    };
    Envelope::server("", frame)
}

/// The newest position that a delivery tells of.
pub(super) const fn position(delivery: &Delivery) -> InboxSeq {
    match delivery {
        Delivery::Entry(entry) => entry.seq,
        Delivery::Gap(gap) => gap.to,
        Delivery::CaughtUp { position } => *position,
    }
}

/// What is said before a connection is closed that is to come again.
pub(super) fn going_away(reason: &str) -> Envelope {
    let going = DmGoingAway { reason: reason.to_owned(), reconnect_after_ms: RECONNECT_AFTER_MS };
    Envelope::server("", Frame::GoingAway(going))
}
