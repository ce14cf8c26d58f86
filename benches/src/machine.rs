//! What the machine says of this process and of files.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

/// Resident memory of a process, `self` or its number, in bytes (Linux).
pub(crate) fn resident(process: &str) -> anyhow::Result<u64> {
    memory(process, "VmRSS")
}

/// The most resident memory that a process had at any time, in bytes (Linux).
pub(crate) fn most_resident(process: &str) -> anyhow::Result<u64> {
    memory(process, "VmHWM")
}

fn memory(process: &str, field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("process {process} has no {field}"))? * 1024)
}

/// Processor time that a process has used, all its threads together (Linux). In steps of 10 ms.
pub(crate) fn processor_time(process: &str) -> anyhow::Result<Duration> {
    let told = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // After the name, which may hold anything, come the state, ten numbers, and the time in
    // programs and in the kernel.
    let (_, fields) = told.rsplit_once(") ").context("a process without a name")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * ticks))
}

/// Bytes that the files of a folder take on disk, its folders included.
pub(crate) fn disk(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk(&entry.path())? } else { allocated(&metadata) };
    }
    Ok(bytes)
}

/// Files that are preallocated count for what is in them.
#[cfg(unix)]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}
