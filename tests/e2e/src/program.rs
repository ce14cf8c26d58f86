//! Programs of this workspace, built with cargo.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

/// Builds a package if it is out of date, in the profile of this program. Returns the path of its
/// program of the same name.
///
/// `DM_PROGRAMS` names a folder that contains all programs, up to date, as in `cargo xtask test`. A
/// build of one package alone would choose other features for its dependencies than the build of
/// the workspace, and compile a hundred of them again.
///
/// # Errors
/// Fails if the package does not build, or if the folder does not contain the program.
pub async fn build(package: &str) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("DM_PROGRAMS") {
        let program = Path::new(&folder).join(package).with_extension(std::env::consts::EXE_EXTENSION);
        ensure!(program.is_file(), "{} is not built", program.display());
        return Ok(program);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let output = Command::new(cargo)
        .args(["build", "--package", package, "--profile", profile, "--message-format", "json", "--quiet"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .stderr(Stdio::inherit())
        .output()
        .await?;
    ensure!(output.status.success(), "{package} does not build");
    let messages = String::from_utf8(output.stdout)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .find(|program| program.file_stem().is_some_and(|name| name == package))
        .with_context(|| format!("cargo built no program {package}"))
}
