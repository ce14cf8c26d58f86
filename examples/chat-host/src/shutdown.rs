//! When to stop.

use std::io;

/// Resolves when the process is asked to end: Ctrl-C, or SIGTERM from whatever runs it. The signals are taken when
/// this is called, so none is missed before the future is first polled.
///
/// # Errors
/// When the system does not let the process listen for signals.
#[cfg(unix)]
pub fn requested() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves when the process is asked to end with Ctrl-C.
///
/// # Errors
/// When the system does not let the process listen for it.
#[cfg(windows)]
pub fn requested() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        let _ = interrupt.recv().await;
    })
}
