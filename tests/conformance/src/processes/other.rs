//! The child process, as its parent sees it.

use crate::crash::CrashHarness;
use crate::process::Process;

/// The environment variable with the child's storage location.
pub(super) const LOCATION: &str = "DM_PROCESSES_LOCATION";

/// The child process. It follows orders and answers each.
pub(super) struct Other(Process);

impl Other {
    /// Starts it and lets it open the store; `None` if the store allows one process at a time.
    pub(super) fn start<H: CrashHarness>(harness: &H, test: &str) -> Result<Option<Self>, String> {
        let mut other = Self(Process::start(test, |command| _ = command.env(LOCATION, harness.path())));
        match other.answer()?.as_str() {
            "open" => Ok(Some(other)),
            "locked" => Ok(None),
            report => Err(format!("the child does not open the store: {report}")),
        }
    }

    pub(super) fn tell(&mut self, order: &str) {
        self.0.tell(order);
    }

    pub(super) fn answer(&mut self) -> Result<String, String> {
        self.0.report().ok_or_else(|| "the child ended by itself".to_owned())
    }

    /// Lets it compare all readable data with the answers; its finding is the error.
    pub(super) fn checks(&mut self, order: &str) -> Result<(), String> {
        self.tell(order);
        match self.answer()?.as_str() {
            "fine" => Ok(()),
            finding => Err(format!("read by the child: {finding}")),
        }
    }
}
