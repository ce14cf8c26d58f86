//! The machine and the versions of a measurement.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use crate::measure::median;

/// The lines about the machine and the versions, for the page.
pub(crate) fn describe() -> anyhow::Result<Vec<(&'static str, String)>> {
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".into());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    Ok(vec![
        ("processor", format!("{cores} × {cpu}")),
        ("memory", memory),
        ("kernel", said("uname", &["-sr"])),
        (
            "file system of the data",
            said("stat", &["-f", "-c", "%T", &std::env::temp_dir().to_string_lossy()]),
        ),
        ("fsync of 4 KiB, median", format!("{:.2} ms", fsync()?)),
        ("Rust", said("rustc", &["--version"])),
        ("SQLite", rusqlite::version().to_owned()),
        ("redb, fjall", format!("{}, {}", locked("redb"), locked("fjall"))),
        ("allocator", format!("mimalloc {}", locked("mimalloc"))),
        ("this project", said("git", &["describe", "--always", "--dirty"])),
        ("date", said("date", &["-u", "+%F"])),
    ])
}

/// The value of a name in a file of names and values.
fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The output of a program.
fn said(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".into(),
    }
}

/// The version of a package in the lock file.
fn locked(package: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let version = lock.split_once(&name).and_then(|(_, rest)| rest.split_once('"'));
    version.map_or("unknown", |(version, _)| version).to_owned()
}

/// The median time of a durable append of 4 KiB, in milliseconds.
fn fsync() -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut file = File::create(folder.path().join("file"))?;
    let mut took = Vec::new();
    for _ in 0..200 {
        file.write_all(&[7; 4_096])?;
        let began = Instant::now();
        file.sync_data()?;
        took.push(1e3 * began.elapsed().as_secs_f64());
    }
    Ok(median(took).unwrap_or(f64::NAN))
}
