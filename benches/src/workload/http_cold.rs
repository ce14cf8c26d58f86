//! The reference host just started, with conversations that are not in memory, beside the same host
//! with few that are, by turns.

use std::sync::Arc;

use dm_client::ConversationId;

use super::load::{self, Load, Sender};
use super::turns::{Ratios, Turn};
use crate::host::{self, Host, Setup};
use crate::measure::median;
use crate::options::Options;
use crate::people;
use crate::report::Report;
use crate::store;

/// Restarts.
const ROUNDS: usize = 3;

/// How messages come to the host.
const WAYS: [&str; 2] = ["WebSocket", "REST"];

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new(format!(
        "http: chat-host on {:?} just started, {} in flight, {} bytes, {} conversations of {} people, beside one \
         conversation for each sender; load from the same machine",
        options.store, options.in_flight, options.payload, options.conversations, options.users
    ));
    let data = options.folder()?;
    let mut setup = Setup::new(data.path(), options.store);
    // All the load comes from one address.
    setup.per_address = Some(0);
    let senders = prepare(&setup, options).await?;
    for (n, way) in WAYS.into_iter().enumerate() {
        let mut ratios = Ratios::default();
        for round in 1..=ROUNDS {
            let host = Host::start_with(&setup).await?;
            let load =
                |once| Load { address: &host.address, payload: options.payload, span: options.span(), once };
            let few: Vec<Sender> = senders.iter().map(Sender::with_one).collect();
            let turn = match n {
                0 => Turn {
                    cold: load::web_sockets(load(true), &senders, 1).await?,
                    warm: load::web_sockets(load(false), &few, 1).await?,
                },
                _ => Turn {
                    cold: load::rest(load(true), &senders).await?,
                    warm: load::rest(load(false), &few).await?,
                },
            };
            host.stop().await?;
            report.add(format!("{way}, round {round}: ratio"), turn.rate(), "x");
            ratios.add(&turn);
            if round == ROUNDS {
                turn.tell(&format!("{way}, "), &mut report);
            }
        }
        report.add(format!("{way}, median ratio"), median(ratios.rate).unwrap_or_default(), "x");
        report.add(format!("{way}, p99, cold / warm"), median(ratios.p99).unwrap_or_default(), "x");
    }
    Ok(report)
}

/// Fills the host's folder and signs people in: as many as send at a time, each with the
/// conversations that they opened.
async fn prepare(setup: &Setup<'_>, options: &Options) -> anyhow::Result<Vec<Sender>> {
    let service = store::builder(options.store, setup.data).await?.start()?;
    let chats = people::open_chats_among(&service, host::user, options.conversations, options.users).await?;
    let chats = Arc::new(chats);
    people::preload(&service, &chats, options.preload.unwrap_or(options.conversations), options.payload)
        .await;
    service.shutdown(options.span()).await;
    drop(service);
    let host = Host::start_with(setup).await?;
    let members = host.members(options.in_flight.min(options.users)).await?;
    host.stop().await?;
    let of_user = |n: usize| chats.iter().skip(n).step_by(options.users).map(|chat| chat.id);
    let senders = members.into_iter().enumerate().map(|(n, member)| Sender {
        token: member.token,
        conversations: of_user(n).map(|id| ConversationId::from_bytes(*id.as_bytes())).collect(),
    });
    Ok(senders.collect())
}
