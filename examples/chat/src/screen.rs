//! The terminal: taken over, and given back whatever happens.

use std::io::{self, stdout};

use crossterm::{
    event::{DisableBracketedPaste, EnableBracketedPaste},
    execute,
};
use ratatui::DefaultTerminal;

/// The screen in the program's hands. Dropping it gives the terminal back; a panic does so before its message.
#[derive(Debug)]
pub(crate) struct Screen(DefaultTerminal);

impl Screen {
    pub(crate) fn take() -> io::Result<Self> {
        // Puts a hook before the panic's own that leaves the alternate screen and raw mode.
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
        // There is nobody left to tell if this fails.
        let _disabled = execute!(stdout(), DisableBracketedPaste);
        ratatui::restore();
    }
}
