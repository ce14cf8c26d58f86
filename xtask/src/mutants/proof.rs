//! The libraries, and the crates whose tests have to catch the mutants of each.

/// A library, and the tests that have to catch its mutants.
#[derive(Debug)]
pub(super) struct Proof {
    /// The package.
    pub(super) library: &'static str,
    /// Its folder in the workspace.
    pub(super) folder: &'static str,
    /// The packages whose tests run on each mutant, in groups. A group runs only on the mutants
    /// that the one before missed, because compiling the tests takes most of the time.
    pub(super) tests: &'static [&'static [&'static str]],
}

/// All libraries. The conformance suite is one of them, because the stores of hosts depend on what
/// it catches.
pub(super) const LIBRARIES: &[Proof] = &[
    Proof { library: "dm-proto", folder: "dm-proto", tests: &[&["dm-proto"], &["dm-axum"]] },
    Proof { library: "dm-core", folder: "dm-core", tests: &[&["dm-core"], &["dm-conformance", "dm-axum"]] },
    Proof { library: "dm-axum", folder: "dm-axum", tests: &[&["dm-axum"], &["dm-client", "chat-host"]] },
    Proof { library: "dm-client", folder: "dm-client", tests: &[&["dm-client"]] },
    Proof { library: "dm-notify-nats", folder: "dm-notify-nats", tests: &[&["dm-notify-nats"]] },
    // The code that redb and fjall share; the suite runs in their crates.
    Proof {
        library: "dm-store-kv",
        folder: "dm-store-kv",
        tests: &[&["dm-store-kv", "dm-store-redb"], &["dm-store-fjall"]],
    },
    Proof { library: "dm-store-sqlite", folder: "dm-store-sqlite", tests: &[&["dm-store-sqlite"]] },
    Proof { library: "dm-store-redb", folder: "dm-store-redb", tests: &[&["dm-store-redb"]] },
    Proof { library: "dm-store-fjall", folder: "dm-store-fjall", tests: &[&["dm-store-fjall"]] },
    Proof { library: "dm-store-postgres", folder: "dm-store-postgres", tests: &[&["dm-store-postgres"]] },
    Proof { library: "dm-conformance", folder: "tests/conformance", tests: &[&["dm-conformance"]] },
];

/// The names and folders of the libraries, in order.
pub(crate) fn libraries() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIBRARIES.iter().map(|proof| (proof.library, proof.folder))
}

/// The names of the libraries, in order.
pub(super) fn names() -> Vec<&'static str> {
    LIBRARIES.iter().map(|proof| proof.library).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_library_of_the_workspace_is_tried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for entry in std::fs::read_dir(root).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(
                !name.starts_with("dm-") || names().contains(&name.as_str()),
                "{name} is not in the list"
            );
        }
        for proof in LIBRARIES {
            assert!(root.join(proof.folder).join("src").is_dir(), "{} has moved", proof.library);
        }
    }
}
