//! Sends through the reference host compared with Redis Streams that sync before they answer, by
//! turns: the same load, over loopback, from the same machine.

use std::sync::Arc;

use anyhow::Context as _;
use dm_test_servers::redis::Server;
use redis::AsyncCommands as _;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;

use super::load::{self, Load, Sender};
use crate::host::Host;
use crate::measure::{Measured, closed_loop, median};
use crate::options::Options;
use crate::report::Report;
use crate::subject::Kind;

/// The numbers of messages in flight, on as many connections.
const IN_FLIGHT: [usize; 3] = [1, 64, 256];
const ROUNDS: usize = 3;
/// The stores of the hosts.
const HOSTS: [Kind; 2] = [Kind::Sqlite, Kind::Fjall];

/// A host with users who send.
struct HostUnderTest {
    store: String,
    host: Host,
    senders: Vec<Sender>,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new(format!(
        "redis: Redis Streams with appendfsync always beside chat-host over WebSockets, {} bytes, a connection for each \
         send in flight, load from the same machine",
        options.payload
    ));
    let most = IN_FLIGHT.into_iter().max().context("some are in flight")?;
    let server = Server::start();
    let streams = connections(&server, most).await?;
    let mut hosts = Vec::new();
    for store in HOSTS {
        let host = Host::start(&Options { store, ..options.clone() }).await?;
        let senders = host.members(most).await?.iter().map(Sender::from).collect();
        hosts.push(HostUnderTest { store: store.name(), host, senders });
    }
    for in_flight in IN_FLIGHT {
        let mut rates = vec![Vec::new(); hosts.len() + 1];
        for _ in 0..ROUNDS {
            rates[0].push(append(&streams[..in_flight], options).await.per_second());
            for (HostUnderTest { host, senders, .. }, rates) in hosts.iter().zip(&mut rates[1..]) {
                let load = Load {
                    address: &host.address,
                    payload: options.payload,
                    span: options.span(),
                    once: false,
                };
                rates.push(load::web_sockets(load, &senders[..in_flight], 1).await?.per_second());
            }
        }
        let redis = rates[0].clone();
        report.add(
            format!("{in_flight} in flight: redis"),
            median(redis.clone()).unwrap_or_default(),
            "msg/s",
        );
        for (HostUnderTest { store, .. }, rates) in hosts.iter().zip(&rates[1..]) {
            let ratios = rates.iter().zip(&redis).map(|(host, redis)| host / redis).collect();
            report.add(
                format!("{in_flight} in flight: {store}"),
                median(rates.clone()).unwrap_or_default(),
                "msg/s",
            );
            report.add(
                format!("{in_flight} in flight: {store} / redis"),
                median(ratios).unwrap_or_default(),
                "x",
            );
        }
    }
    for HostUnderTest { host, .. } in hosts {
        host.stop().await?;
    }
    Ok(report)
}

async fn connections(server: &Server, count: usize) -> anyhow::Result<Vec<MultiplexedConnection>> {
    let client = redis::Client::open(server.url())?;
    // A slow sync is measured and is no error.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(client.get_multiplexed_async_connection_with_config(&config).await?);
    }
    Ok(connections)
}

/// Appends to the stream of a conversation on each connection, one message after the other.
async fn append(connections: &[MultiplexedConnection], options: &Options) -> Measured {
    let connections: Arc<[_]> = connections.into();
    let payload: Arc<[u8]> = vec![7; options.payload].into();
    closed_loop(connections.len(), options.span(), move |n| {
        let at = n % connections.len();
        let (mut connection, payload) = (connections[at].clone(), Arc::clone(&payload));
        async move {
            let stream = format!("conversation:{at}");
            let id: String =
                connection.xadd(stream, "*", &[("payload", &*payload)]).await.expect("Redis appends");
            assert!(id.contains('-'), "the id of an entry");
        }
    })
    .await
}
