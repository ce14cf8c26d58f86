//! The list of public dependencies: the crates whose types may be in the public interface of a
//! library.

use std::collections::{BTreeMap, BTreeSet};

/// The heading in `docs/dependencies.md` above the list.
const HEADING: &str = "## Public dependencies";

/// The allowed crates of each library.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Allowed<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Allowed<'a> {
    /// Reads the table below the heading: a library in the first column, its crates in the second.
    pub(super) fn parse(page: &'a str) -> Self {
        let below = page.split_once(HEADING).map_or("", |(_, below)| below);
        let section = below.split_once("\n## ").map_or(below, |(section, _)| section);
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let row = |row: &'a str| {
            let (library, crates) = row.split_once("` |")?;
            Some((library, crates.split('`').skip(1).step_by(2).collect()))
        };
        Self(rows.filter_map(row).collect())
    }

    /// The differences between the list and the crates in the interface of a library. `used` has
    /// these crates by the names of their packages, each with one path.
    pub(super) fn differences(&self, library: &str, used: &BTreeMap<String, String>) -> Vec<String> {
        let Some(allowed) = self.0.get(library) else {
            return vec![format!("{library}: docs/dependencies.md has no row for its public dependencies")];
        };
        let missing = used.iter().filter(|(name, _)| !allowed.contains(name.as_str())).map(|(name, path)| {
            format!("{library}: {path} makes `{name}` a public dependency, and docs/dependencies.md does not allow it")
        });
        let unused = allowed.iter().filter(|name| !used.contains_key(**name)).map(|name| {
            format!(
                "{library}: docs/dependencies.md allows `{name}` as a public dependency, and nothing uses it"
            )
        });
        missing.chain(unused).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "| `a` | not this |\n\n## Public dependencies\n\nText.\n\n| Library | Crates |\n|---|---|\n\
                        | `a` | `one`, `two-two` |\n| `b` | none |\n\n## Other\n\n| `c` | `one` |\n";

    fn used(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), format!("{name}::A in m"))).collect()
    }

    #[test]
    fn the_list_is_the_table_below_its_heading() {
        let expected = BTreeMap::from([("a", BTreeSet::from(["one", "two-two"])), ("b", BTreeSet::new())]);
        assert_eq!(Allowed::parse(PAGE), Allowed(expected));
    }

    #[test]
    fn a_library_that_uses_what_the_list_allows_has_no_difference() {
        let allowed = Allowed::parse(PAGE);
        assert!(allowed.differences("a", &used(&["one", "two-two"])).is_empty());
        assert!(allowed.differences("b", &used(&[])).is_empty());
    }

    #[test]
    fn a_crate_that_is_not_allowed_one_that_is_not_used_and_a_library_without_a_row_are_named() {
        let allowed = Allowed::parse(PAGE);
        let found = allowed.differences("a", &used(&["one", "three"]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("three::A in m makes `three` a public dependency"), "{found:?}");
        assert!(found[1].contains("allows `two-two`"), "{found:?}");
        assert!(allowed.differences("c", &used(&["one"]))[0].contains("no row"));
    }

    #[test]
    fn the_list_that_is_checked_in_has_a_row_for_each_library() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let page = std::fs::read_to_string(root.join("docs/dependencies.md")).unwrap();
        let libraries: BTreeSet<_> = crate::mutants::libraries().map(|(name, _)| name).collect();
        assert_eq!(Allowed::parse(&page).0.into_keys().collect::<BTreeSet<_>>(), libraries);
    }
}
