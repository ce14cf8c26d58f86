//! A terminal client for `chat-host`.
//!
//! `chat --name ana` opens the profile `ana`. `chat replay FILE` sends the lines of a file between
//! two fresh users and checks the received messages.

use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Your display name, and the name of the profile to use.
    #[arg(long, required = true)]
    name: Option<String>,
    /// The folder of the profile: identity, messages, unsent messages [default: dm-chat/NAME in
    /// your data folder, such as ~/.local/share].
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
    /// Send the lines of a file between two fresh users and check the received messages.
    ///
    /// The users send alternately. For the middle third of the lines the second user is offline:
    /// the first sends all of them, and the second receives them when it is online again.
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
    // A blocking read of the terminal may still be running. It must not delay the end of the
    // program.
    runtime.shutdown_background();
    ended
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_valid() {
        Arguments::command().debug_assert();
        Arguments::try_parse_from(["chat", "--name", "ana"]).unwrap();
        Arguments::try_parse_from(["chat", "replay", "FILE", "--server", "http://host"]).unwrap();
        Arguments::try_parse_from(["chat"]).unwrap_err();
        Arguments::try_parse_from(["chat", "replay"]).unwrap_err();
    }
}
