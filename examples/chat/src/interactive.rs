//! The program with a screen: keys and news in, the state to disk, commands out.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use chrono::{DateTime, Local, NaiveDateTime};
use crossterm::event::{Event, EventStream, KeyEventKind};
use data_encoding::HEXLOWER;
use dm_client::{Clock, Entropy, Identity, OsEntropy, Receipt, SystemClock};
use futures_util::StreamExt;
use tokio::sync::mpsc::error::TrySendError;

use crate::{
    app::App,
    net::{Account, Net, Parcel},
    profile::{self, Profile},
    screen::Screen,
    state::saved,
    ui,
};

/// News taken in before the screen is drawn again, at most.
const AT_ONCE: usize = 256;

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
    let ended = until_over(&mut app, &mut net, &mut screen, &profile).await;
    drop(screen);
    net.close().await;
    ended
}

async fn until_over(app: &mut App, net: &mut Net, screen: &mut Screen, profile: &Profile) -> Result<()> {
    let mut keys = EventStream::new();
    let mut ended = std::pin::pin!(asked_to_end()?);
    while !app.over {
        let mut at_top = false;
        screen.draw(|frame| at_top = ui::draw(frame, app, SystemClock.now(), wall_clock))?;
        if at_top {
            app.reached_the_top();
        }
        hand_over(app, net);
        let mut receipts = Vec::new();
        tokio::select! {
            key = keys.next() => match key.context("the terminal is gone")?? {
                Event::Key(key) if key.kind != KeyEventKind::Release => app.key(key, SystemClock.now()),
                Event::Paste(text) => app.paste(&text),
                _ => {}
            },
            () = &mut ended => app.over = true,
            parcel = net.news.recv() => {
                unpack(app, parcel.context("the network side has ended")?, &mut receipts);
                while receipts.len() < AT_ONCE && let Ok(parcel) = net.news.try_recv() {
                    unpack(app, parcel, &mut receipts);
                }
            }
        }
        if std::mem::take(&mut app.changed) {
            saved::save(&profile.state(), &app.state)?;
        }
        // On disk: the server may forget that it waits, and what was written may go out.
        receipts.into_iter().for_each(Receipt::acknowledge);
    }
    Ok(())
}

/// Waits for the signals that would end the program without giving the terminal back.
#[cfg(unix)]
fn asked_to_end() -> Result<impl Future<Output = ()>> {
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
fn asked_to_end() -> Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}

fn unpack(app: &mut App, parcel: Parcel, receipts: &mut Vec<Receipt>) {
    app.news(parcel.news);
    receipts.extend(parcel.receipt);
}

/// Gives the network its commands; what it has no room for waits for the next turn.
fn hand_over(app: &mut App, net: &Net) {
    while let Some(command) = app.commands.pop_front() {
        match net.commands.try_send(command) {
            Ok(()) => {}
            Err(TrySendError::Full(command)) => return app.commands.push_front(command),
            Err(TrySendError::Closed(_)) => return,
        }
    }
}

fn wall_clock(at: u64) -> NaiveDateTime {
    let at = i64::try_from(at).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    at.with_timezone(&Local).naive_local()
}

#[cfg(test)]
mod tests;
