//! Memory, processor time and disk space, as the operating system reports them.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

/// The resident memory of a process, given as `self` or by its id, in bytes (Linux).
pub(crate) fn resident(process: &str) -> anyhow::Result<u64> {
    memory(process, "VmRSS")
}

/// The most resident memory that a process had so far, in bytes (Linux).
pub(crate) fn most_resident(process: &str) -> anyhow::Result<u64> {
    memory(process, "VmHWM")
}

fn memory(process: &str, field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("process {process} has no {field}"))? * 1024)
}

/// The processor time of all threads of a process (Linux), in steps of 10 ms.
pub(crate) fn processor_time(process: &str) -> anyhow::Result<Duration> {
    let told = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may contain any characters. After it come the state, ten numbers, and the times in
    // user space and in the kernel.
    let (_, fields) = told.rsplit_once(") ").context("a process without a name")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * ticks))
}

/// The bytes that the files and folders in a folder take on disk.
pub(crate) fn disk(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk(&entry.path())? } else { allocated(&metadata) };
    }
    Ok(bytes)
}

/// The space that a file takes on disk. Preallocated files count only their content.
#[cfg(unix)]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}
