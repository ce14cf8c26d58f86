//! The signals that end the process.

use std::io;

/// A future that resolves on Ctrl-C or SIGTERM. The signal handlers are installed by the call, so
/// no signal is missed before the future is first polled.
///
/// # Errors
/// If the system does not let the process listen for signals.
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

/// A future that resolves on Ctrl-C.
///
/// # Errors
/// If the system does not let the process listen for the signal.
#[cfg(windows)]
pub fn requested() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        let _ = interrupt.recv().await;
    })
}
