//! The interactive program: takes keys and network events, saves the state, and hands out commands.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, Local, NaiveDateTime};
use crossterm::event::{Event, EventStream, KeyEventKind};
use data_encoding::HEXLOWER;
use dm_client::{Clock, Entropy, Identity, OsEntropy, Receipt, SystemClock, Timestamp};
use futures_util::StreamExt;
use tokio::sync::mpsc::error::TrySendError;

use crate::app::App;
use crate::net::{Account, Net, TrackedEvent};
use crate::profile::{self, Profile};
use crate::screen::Screen;
use crate::state::saved;
use crate::ui;

/// Maximum number of receipts that are collected before the screen is drawn again.
const EVENTS_PER_DRAW: usize = 256;

/// Runs until the user quits.
pub(crate) async fn run(server: String, name: String, data: Option<PathBuf>) -> Result<()> {
    let folder = data.map_or_else(|| profile::default_folder(&name), Ok)?;
    let profile = Profile::open(folder)?;
    let identity = Arc::new(Identity::load_or_create(&profile.identity(), &mut OsEntropy)?);
    let state = saved::load(&profile.state())?;
    let device = profile.device(|| {
        let mut tag = [0; 6];
        OsEntropy.fill(&mut tag)?;
        Ok(format!("chat-{}", HEXLOWER.encode(&tag)))
    })?;
    let server_id = state.server_id.clone();
    let account = Account { server, name: name.clone(), identity: Arc::clone(&identity), device, server_id };
    let mut app = App::new(identity, name, state, Box::new(OsEntropy));
    let mut net = Net::start(account);
    let mut screen = Screen::take().context("cannot take over the terminal")?;
    let ended = run_until_quit(&mut app, &mut net, &mut screen, &profile).await;
    drop(screen);
    net.close().await;
    ended
}

async fn run_until_quit(app: &mut App, net: &mut Net, screen: &mut Screen, profile: &Profile) -> Result<()> {
    let mut keys = EventStream::new();
    let mut terminated = std::pin::pin!(terminated()?);
    while !app.quits {
        let mut at_top = false;
        screen.draw(|frame| at_top = ui::draw(frame, app, SystemClock.now(), wall_clock))?;
        if at_top {
            app.load_older();
        }
        send_commands(app, net);
        let mut receipts = Vec::new();
        tokio::select! {
            key = keys.next() => match key.context("the terminal is gone")?? {
                Event::Key(key) if key.kind != KeyEventKind::Release => app.key(key, SystemClock.now()),
                Event::Paste(text) => app.paste(&text),
                _ => {}
            },
            () = &mut terminated => app.quits = true,
            tracked = net.events.recv() => {
                apply(app, tracked.context("the network task has ended")?, &mut receipts);
                while receipts.len() < EVENTS_PER_DRAW && let Ok(tracked) = net.events.try_recv() {
                    apply(app, tracked, &mut receipts);
                }
            }
        }
        if std::mem::take(&mut app.changed) {
            saved::save(&profile.state(), &app.state)?;
        }
        // The state is on disk now, so the deliveries can be acknowledged.
        receipts.into_iter().for_each(Receipt::acknowledge);
    }
    Ok(())
}

/// Waits for a signal that would otherwise end the program without restoring the terminal.
#[cfg(unix)]
fn terminated() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn terminated() -> Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}

fn apply(app: &mut App, tracked: TrackedEvent, receipts: &mut Vec<Receipt>) {
    app.apply(tracked.event);
    receipts.extend(tracked.receipt);
}

/// Sends the commands to the network task. Commands that do not fit into the task's queue wait.
fn send_commands(app: &mut App, net: &Net) {
    while let Some(command) = app.commands.pop_front() {
        match net.commands.try_send(command) {
            Ok(()) => {}
            Err(TrySendError::Full(command)) => return app.commands.push_front(command),
            Err(TrySendError::Closed(_)) => return,
        }
    }
}

fn wall_clock(at: Timestamp) -> NaiveDateTime {
    let at = i64::try_from(at.as_millis()).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    at.with_timezone(&Local).naive_local()
}

#[cfg(test)]
mod tests;
