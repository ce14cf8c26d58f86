//! The terminal, which is restored at the end and after a panic.

use std::io::{self, stdout};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use ratatui::DefaultTerminal;

/// The terminal in raw mode, on its alternate screen. Dropping it restores the terminal. A panic
/// restores it before the message is printed.
#[derive(Debug)]
pub(crate) struct Screen(DefaultTerminal);

impl Screen {
    pub(crate) fn take() -> io::Result<Self> {
        // Also installs a panic hook that leaves the alternate screen and raw mode.
        let screen = Self(ratatui::try_init()?);
        execute!(stdout(), EnableBracketedPaste)?;
        Ok(screen)
    }

    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A failure here cannot be reported any more.
        let _disabled = execute!(stdout(), DisableBracketedPaste);
        ratatui::restore();
    }
}
