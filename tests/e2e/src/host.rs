//! The reference host as a process, built with cargo.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::build;

/// The time limit for a host to start listening.
const START: Duration = Duration::from_secs(30);

/// A running host and its data folder. Dropping it kills the process and removes the folder.
#[derive(Debug)]
pub struct Host {
    program: PathBuf,
    data: tempfile::TempDir,
    args: Vec<String>,
    child: Child,
    /// Such as `127.0.0.1:40123`. A restarted host listens at the same address, so that clients
    /// find it.
    address: String,
}

impl Host {
    /// Builds the host if it is out of date, and starts it on a free port with an empty data
    /// folder.
    ///
    /// # Errors
    /// Fails if the host does not build or does not start.
    pub async fn start(args: &[&str]) -> Result<Self> {
        let program = build("chat-host").await?;
        let data = tempfile::tempdir()?;
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let (child, address) = spawn(&program, data.path(), "127.0.0.1:0", &args).await?;
        Ok(Self { program, data, args, child, address })
    }

    /// The URL of the host, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the host, such as `127.0.0.1:40123`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The data folder of the host.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Kills the process with SIGKILL. It runs no more code.
    ///
    /// # Errors
    /// Fails if the process cannot be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("the host could not be killed")
    }

    /// Starts it again with the same data and on the same port.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub async fn restart(&mut self) -> Result<()> {
        let (child, address) = spawn(&self.program, self.data.path(), &self.address, &self.args).await?;
        ensure!(address == self.address, "the host listens at {address} instead of {}", self.address);
        self.child = child;
        Ok(())
    }

    /// Asks it to stop, with SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// Fails if it does not stop, or does not exit with success.
    pub async fn terminate(&mut self) -> Result<()> {
        let id = self.child.id().context("the host has ended before")?;
        let asked = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        ensure!(asked.success(), "the host could not be asked to stop");
        let ended =
            tokio::time::timeout(START, self.child.wait()).await.context("the host does not stop")??;
        ensure!(ended.success(), "the host stopped with {ended}");
        Ok(())
    }
}

async fn spawn(program: &Path, data: &Path, listen: &str, args: &[String]) -> Result<(Child, String)> {
    let mut child = Command::new(program)
        .args(["--listen", listen, "--data"])
        .arg(data)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().context("the host has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let listening = async {
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("listening on http://") {
                return Ok(address.trim().trim_end_matches('/').to_owned());
            }
        }
        anyhow::bail!("the host ended before it listened")
    };
    let address =
        tokio::time::timeout(START, listening).await.context("the host does not start to listen")??;
    // The rest of its output is read, so that the pipe does not fill up.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, address))
}
