//! Deliveries of the session are written to the client.

use dm_core::{Delivery, InboxEntry, SessionEnd};
use dm_proto::Envelope;
use futures_util::FutureExt as _;

use super::{Connection, Dialect};
use crate::names::Names;
use crate::render;
use crate::ws::close::Close;
use crate::ws::hello;

/// Deliveries written together, with one look-up of names.
const BATCH: usize = 32;

impl Connection {
    /// Writes a delivery, and with it those that are there already.
    pub(super) async fn deliver(&mut self, first: Result<Delivery, SessionEnd>) -> Result<(), Close> {
        let mut batch = Vec::new();
        let mut next = Some(first);
        let end = loop {
            match next {
                Some(Ok(delivery)) => batch.push(delivery),
                Some(Err(end)) => break Some(Close::from(&end)),
                None => break None,
            }
            next = if batch.len() < BATCH { self.session.next().now_or_never() } else { None };
        };
        let named = batch.iter().filter_map(entry).flat_map(render::named).collect();
        let names = Names::look_up(&self.api.service, named).await;
        match &mut self.dialect {
            Dialect::Seed(unconfirmed) => {
                let events = batch.iter().filter_map(entry).filter_map(|entry| render::event(entry, &names));
                let events = events.map(|event| Envelope::new("", event)).collect();
                self.ends.or(self.socket.write(events)).await?;
                batch.iter().filter_map(entry).for_each(|entry| unconfirmed.wrote(entry.seq));
                if unconfirmed.wants_ping() {
                    self.heartbeat.ping_soon();
                }
            }
            Dialect::Hello(acks) => {
                batch.iter().map(hello::position).for_each(|position| acks.knows(position));
                let deliveries = batch.iter().map(|delivery| hello::delivery(delivery, &names));
                self.write(deliveries.collect()).await?;
            }
        }
        end.map_or(Ok(()), Err)
    }
}

const fn entry(delivery: &Delivery) -> Option<&InboxEntry> {
    match delivery {
        Delivery::Entry(entry) => Some(entry),
        Delivery::Gap(_) | Delivery::CaughtUp { .. } => None,
    }
}
