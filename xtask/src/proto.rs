//! The protobuf code of `dm-proto`. It is generated from the `.proto` files and checked in, so that
//! a build needs no `protoc`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use anyhow::Context as _;

/// The command that renews stale code.
const COMMAND: &str = "cargo xtask proto";

/// The file that imports all others.
const ENTRY: &str = "envelope.proto";

/// The messages whose `Debug` is written by hand in `dm-proto/src/debug.rs`, because they contain
/// payloads, keys or previews.
const HAND_WRITTEN_DEBUG: [&str; 5] = [
    ".dm.v1.DmConversation",
    ".dm.v1.DmKeyRotatedEvent",
    ".dm.v1.DmPublicKey",
    ".dm.v1.DmSend",
    ".dm.v1.EncryptedDmMessage",
];

/// Arguments of `cargo xtask proto`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if the checked-in code is not what the .proto files generate
    #[arg(long)]
    check: bool,
    /// The crate whose proto/ is read and whose src/generated/ is written [default: dm-proto of
    /// this workspace]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Regenerates the code, or compares it with `--check`.
///
/// # Errors
/// Fails if a `.proto` file does not compile, or if a file cannot be read or written.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let crate_dir = args.dir.clone().unwrap_or_else(|| default_dir(root));
    if args.check {
        return Ok(if check(&crate_dir)? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    for file in stale_files(&crate_dir)? {
        file.refresh()?;
        println!("refreshed {}", file.path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the checked-in code is current. Prints the stale files and the command that renews them.
///
/// # Errors
/// Fails if a `.proto` file does not compile, or if a file cannot be read.
pub(crate) fn check(crate_dir: &Path) -> anyhow::Result<bool> {
    let stale = stale_files(crate_dir)?;
    for file in &stale {
        eprintln!("stale: {}", file.path.display());
    }
    if stale.is_empty() {
        println!("the generated protobuf code is current");
    } else {
        eprintln!("run `{COMMAND}` and commit the result");
    }
    Ok(stale.is_empty())
}

/// The crate that holds the messages.
pub(crate) fn default_dir(root: &Path) -> PathBuf {
    root.join("dm-proto")
}

/// A checked-in file that differs from the newly generated one.
struct Stale {
    path: PathBuf,
    /// The new content; `None` if no file of this name is generated any more.
    fresh: Option<Vec<u8>>,
}

impl Stale {
    fn refresh(&self) -> anyhow::Result<()> {
        match &self.fresh {
            Some(content) => fs::write(&self.path, content),
            None => fs::remove_file(&self.path),
        }
        .with_context(|| format!("refreshing {}", self.path.display()))
    }
}

/// Generates the code into a temporary folder and returns the files that are changed, missing or
/// left over.
fn stale_files(crate_dir: &Path) -> anyhow::Result<Vec<Stale>> {
    let fresh_dir = tempfile::tempdir().context("making a folder to generate into")?;
    generate(&crate_dir.join("proto"), fresh_dir.path())?;

    let checked_in_dir = crate_dir.join("src/generated");
    let mut names = file_names(fresh_dir.path())?;
    names.extend(file_names(&checked_in_dir)?);

    let mut stale = Vec::new();
    for name in names {
        let path = checked_in_dir.join(&name);
        let fresh = read_if_there(&fresh_dir.path().join(&name))?;
        if read_if_there(&path)? != fresh {
            stale.push(Stale { path, fresh });
        }
    }
    Ok(stale)
}

/// Compiles the `.proto` files of `proto_dir` into Rust files in `out_dir`.
fn generate(proto_dir: &Path, out_dir: &Path) -> anyhow::Result<()> {
    let files = protox::compile([ENTRY], [proto_dir])
        .with_context(|| format!("compiling {}", proto_dir.join(ENTRY).display()))?;
    prost_build::Config::new()
        .bytes(["."])
        .skip_debug(HAND_WRITTEN_DEBUG)
        .out_dir(out_dir)
        .compile_fds(files)
        .context("generating Rust from the protobuf files")
}

/// Names of the files in `dir`.
fn file_names(dir: &Path) -> anyhow::Result<BTreeSet<OsString>> {
    fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
        .with_context(|| format!("listing {}", dir.display()))
}

fn read_if_there(file: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}
