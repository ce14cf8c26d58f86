//! A terminal client for `chat-host`.
//!
//! `chat --name ana` opens the conversations of a user called ana; `chat replay FILE` sends a file from one fresh user
//! to another and checks what arrives.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

mod app;
mod input;
mod interactive;
mod net;
mod plain;
mod profile;
mod replay;
mod screen;
mod state;
#[cfg(test)]
mod testing;
mod ui;

/// Private messages in the terminal.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    server: Server,
    /// Who you are: what others see, and which of your profiles to use.
    #[arg(long, required = true)]
    name: Option<String>,
    /// The folder of the profile: identity, messages, what waits to be sent [default: dm-chat/NAME in your data
    /// folder, such as ~/.local/share].
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Server {
    /// The server's address.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    server: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a file's lines between two fresh users, the second one offline for the middle third, and check what
    /// arrives.
    ///
    /// The users take turns; while the second is offline, the first sends all lines, and the second gets them when it
    /// is back.
    Replay {
        /// A file of lines.
        file: PathBuf,
        #[command(flatten)]
        server: Server,
    },
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        match arguments.command {
            Some(Command::Replay { file, server }) => replay::run(&server.server, &file).await,
            None => {
                let name = arguments.name.context("give a --name")?;
                interactive::run(arguments.server.server, name, arguments.data).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    });
    // A read of the terminal may still be under way; it must not keep the program from ending.
    runtime.shutdown_background();
    ended
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
        Arguments::try_parse_from(["chat", "--name", "ana"]).unwrap();
        Arguments::try_parse_from(["chat", "replay", "FILE", "--server", "http://host"]).unwrap();
        Arguments::try_parse_from(["chat"]).unwrap_err();
        Arguments::try_parse_from(["chat", "replay"]).unwrap_err();
    }
}
