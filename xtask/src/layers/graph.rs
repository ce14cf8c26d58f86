//! The uses between modules, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Module;
use crate::source::names::Names;

/// Modules each of which uses all others, directly or indirectly.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    pub(super) members: Vec<String>,
    /// The uses among them, each with a path in the sources.
    pub(super) edges: Vec<String>,
}

/// The modules that each module uses, by index, each with a path that leads there.
type Uses = BTreeMap<usize, BTreeMap<usize, String>>;

/// The circles of a crate.
pub(super) fn circles(modules: &[Module]) -> Vec<Circle> {
    let crate_modules = Crate::new(modules);
    let uses = crate_modules.uses();
    let reach: Vec<BTreeSet<usize>> = (0..modules.len()).map(|from| reachable(&uses, from)).collect();
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for (one, reached) in reach.iter().enumerate() {
        if !reached.contains(&one) || !seen.insert(one) {
            continue;
        }
        let members: BTreeSet<usize> = reached
            .iter()
            .copied()
            .filter(|other| reach.get(*other).is_some_and(|back| back.contains(&one)))
            .collect();
        seen.extend(&members);
        circles.push(crate_modules.circle(&members, &uses));
    }
    circles
}

/// The modules that a module uses, directly or indirectly.
fn reachable(uses: &Uses, from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from];
    while let Some(module) = left.pop() {
        for used in uses.get(&module).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(*used) {
                left.push(*used);
            }
        }
    }
    reached
}

/// The modules of a crate, and the resolution of their paths.
struct Crate<'a> {
    modules: &'a [Module],
    names: Names<'a>,
}

impl<'a> Crate<'a> {
    fn new(modules: &'a [Module]) -> Self {
        Self { modules, names: Names::new(modules) }
    }

    fn uses(&self) -> Uses {
        let mut uses = Uses::new();
        for (from, module) in self.modules.iter().enumerate() {
            let imports = module.imports.values().chain(&module.globs);
            let imported = imports.filter_map(|import| {
                let to = self.names.resolve(from, &import.path)?.module()?;
                (!(import.is_export && self.is_below(to, from))).then_some((to, &import.path))
            });
            let named = module.paths.iter();
            let named = named.filter_map(|path| Some((self.names.resolve(from, path)?.module()?, path)));
            for (to, path) in imported.chain(named) {
                if to != from {
                    uses.entry(from).or_default().entry(to).or_insert_with(|| path.join("::"));
                }
            }
        }
        uses
    }

    fn is_below(&self, one: usize, other: usize) -> bool {
        match (self.modules.get(one), self.modules.get(other)) {
            (Some(one), Some(other)) => one.at.len() > other.at.len() && one.at.starts_with(&other.at),
            _ => false,
        }
    }

    fn name(&self, module: usize) -> String {
        match self.modules.get(module) {
            Some(module) if !module.at.is_empty() => module.at.join("::"),
            _ => "crate".to_owned(),
        }
    }

    fn circle(&self, members: &BTreeSet<usize>, uses: &Uses) -> Circle {
        let mut edges = Vec::new();
        for from in members {
            for (to, path) in uses.get(from).into_iter().flatten().filter(|(to, _)| members.contains(to)) {
                edges.push(format!("{} → {} ({path})", self.name(*from), self.name(*to)));
            }
        }
        Circle { members: members.iter().map(|module| self.name(*module)).collect(), edges }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::parse;

    fn members(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        circles(&parse(files)).into_iter().map(|circle| circle.members).collect()
    }

    #[test]
    fn two_files_that_use_each_other_through_the_root_are_a_circle() {
        let root = "mod a; mod b; mod c; pub use a::A; pub use b::B; pub use c::C;";
        let a = "use crate::{B, C}; pub struct A(B, C);";
        let b = "use crate::A; pub struct B(A);";
        let files = [("lib.rs", root), ("a.rs", a), ("b.rs", b), ("c.rs", "pub struct C;")];
        assert_eq!(members(&files), [["a", "b"]]);
    }

    #[test]
    fn re_exports_and_modules_are_no_uses_of_what_lies_below() {
        let root = "pub mod a; pub use a::A; pub(crate) use a::Inner;";
        assert!(members(&[("lib.rs", root), ("a.rs", "pub struct A; pub(crate) struct Inner;")]).is_empty());
        // The modules below may use the items that the root defines.
        let root = format!("{root} pub struct Root;");
        let a = "use crate::Root; pub struct A(Root); pub(crate) struct Inner;";
        assert!(members(&[("lib.rs", &root), ("a.rs", a)]).is_empty());
    }

    #[test]
    fn a_child_that_imports_its_parent_which_uses_it_is_a_circle() {
        let parent = "mod child; use child::Child; pub struct Parent(Child);";
        for child in [
            "use super::Parent; pub struct Child; impl Parent {}",
            "pub struct Child; impl super::Parent {}",
            "use super::*; pub struct Child; impl Parent {}",
        ] {
            let files = [("lib.rs", "mod parent;"), ("parent/mod.rs", parent), ("parent/child.rs", child)];
            assert_eq!(members(&files), [["parent", "parent::child"]], "{child}");
        }
    }

    #[test]
    fn paths_count_in_types_expressions_and_macros() {
        for a in [
            "pub fn a() { crate::b::b(); }",
            "pub fn a() { assert!(crate::b::b()); }",
            "pub fn a(b: crate::b::B) { drop(b); }",
            "use crate::b; pub fn a() { b::b(); }",
        ] {
            let b = "pub struct B; pub fn b() -> bool { super::a::a(); true }";
            let files = [("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", b)];
            assert_eq!(members(&files), [["a", "b"]], "{a}");
        }
    }

    #[test]
    fn tests_and_documentation_do_not_count() {
        let a = "/// As [`crate::b::B`].\npub struct A; #[cfg(test)] mod tests { use crate::b::B; }\n\
                 #[cfg(test)] fn b(b: crate::b::B) { drop(b); }";
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", "pub struct B(crate::a::A);")];
        assert!(members(&files).is_empty());
    }

    #[test]
    fn other_crates_do_not_count() {
        let a = "use std::sync::Arc; use other::b; pub struct A(Arc<u8>, b::B);";
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", "use crate::a::A; pub struct B(A);")];
        assert!(members(&files).is_empty());
    }

    #[test]
    fn names_in_enums_lead_to_the_file_of_the_enum() {
        let a = "use crate::Kind; pub fn a() -> Kind { Kind::One }";
        let kind = "use crate::a::a; pub enum Kind { One }";
        let files = [("lib.rs", "mod a; mod kind; pub use kind::Kind;"), ("a.rs", a), ("kind.rs", kind)];
        let circles = circles(&parse(&files));
        assert_eq!(circles[0].edges, ["a → kind (crate::Kind)", "kind → a (crate::a::a)"]);
    }
}
