//! The other crates that the public interface of a crate names.
//!
//! Each item with the visibility `pub` is part of it, in any module: the lint `unreachable_pub`
//! refuses one that other crates cannot reach. An implementation of a trait is part of it if other
//! crates can name both the trait and the type.
//!
//! The sources are parsed and not compiled, so some uses are not seen:
//!
//! - items that a macro makes, `include!` among them, and traits that a derive or another attribute
//!   implements. Items in the rules of the crate's own `macro_rules!` are seen, wherever it is
//!   called;
//! - names that are imported by `use other_crate::*`;
//! - types that are never written: of `impl Trait` only the named traits are seen.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use super::templates;
use crate::source::names::{Names, Target};
use crate::source::{Module, Written, is_test};

/// The crates that the public interface of a crate names, each with one path by which it does.
/// `known` has the names of its dependencies, as they are written in Rust.
pub(super) fn crates(modules: &[Module], known: &BTreeSet<String>) -> BTreeMap<String, String> {
    let names = Names::new(modules);
    let mut left: Vec<(usize, Written)> = Vec::new();
    for (at, module) in modules.iter().enumerate() {
        let mut interface = Interface { modules, names: &names, at, paths: BTreeSet::new() };
        module.code.iter().for_each(|item| interface.item(item));
        let exports = module.imports.values().chain(&module.globs).filter(|import| import.is_public);
        interface.paths.extend(exports.map(|import| import.path.clone()));
        left.extend(interface.paths.into_iter().map(|path| (at, path)));
    }

    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    while let Some((at, path)) = left.pop() {
        if !seen.insert((at, path.clone())) {
            continue;
        }
        match names.resolve(at, &path) {
            Some(Target::Foreign { path: foreign, .. }) => {
                if let Some(name) = foreign.first().filter(|name| known.contains(*name)) {
                    let module = modules.get(at).map(|module| module.at.join("::")).unwrap_or_default();
                    let place = if module.is_empty() { "the crate root".to_owned() } else { module };
                    found.entry(name.clone()).or_insert_with(|| format!("{} in {place}", foreign.join("::")));
                }
            }
            // The interface has the type that an alias stands for.
            Some(Target::Local { module, item: Some(item) }) => {
                left.extend(aliased(modules, module, &item).into_iter().map(|path| (module, path)));
            }
            Some(Target::Local { item: None, .. }) | None => {}
        }
    }
    found
}

/// The paths in the type of an alias; none if the item is something else.
fn aliased(modules: &[Module], at: usize, name: &str) -> BTreeSet<Written> {
    let mut paths = Paths::default();
    for item in modules.get(at).into_iter().flat_map(|module| &module.code) {
        if let syn::Item::Type(alias) = item
            && alias.ident == name
        {
            paths.visit_type(&alias.ty);
        }
    }
    paths.0
}

/// Collects the paths in types, bounds and signatures.
#[derive(Default)]
struct Paths(BTreeSet<Written>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.insert(written(path));
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_expr(&mut self, _: &'ast syn::Expr) {}
}

/// A path as it is written. One that begins with `::` has an empty first name.
fn written(path: &syn::Path) -> Written {
    let first = path.leading_colon.map(|_| String::new());
    first.into_iter().chain(path.segments.iter().map(|segment| segment.ident.to_string())).collect()
}

/// Collects the paths in the public interface of a module.
struct Interface<'a> {
    modules: &'a [Module],
    names: &'a Names<'a>,
    at: usize,
    paths: BTreeSet<Written>,
}

impl Interface<'_> {
    fn collect(&mut self, visit: impl FnOnce(&mut Paths)) {
        let mut paths = Paths::default();
        visit(&mut paths);
        self.paths.append(&mut paths.0);
    }

    fn item(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Fn(item) if is_public(&item.vis) => {
                self.collect(|paths| paths.visit_signature(&item.sig));
            }
            syn::Item::Const(item) if is_public(&item.vis) => {
                self.collect(|paths| paths.visit_type(&item.ty));
            }
            syn::Item::Static(item) if is_public(&item.vis) => {
                self.collect(|paths| paths.visit_type(&item.ty));
            }
            syn::Item::Type(item) if is_public(&item.vis) => self.collect(|paths| {
                paths.visit_generics(&item.generics);
                paths.visit_type(&item.ty);
            }),
            syn::Item::Struct(item) if is_public(&item.vis) => self.collect(|paths| {
                paths.visit_generics(&item.generics);
                let fields = item.fields.iter().filter(|field| is_public(&field.vis));
                fields.for_each(|field| paths.visit_type(&field.ty));
            }),
            syn::Item::Enum(item) if is_public(&item.vis) => self.collect(|paths| {
                paths.visit_generics(&item.generics);
                let fields = item.variants.iter().flat_map(|variant| &variant.fields);
                fields.for_each(|field| paths.visit_type(&field.ty));
            }),
            syn::Item::Trait(item) if is_public(&item.vis) => self.definition(item),
            syn::Item::Impl(item) => self.implementation(item),
            // An exported macro makes items in other crates.
            syn::Item::Macro(item) if !item.attrs.iter().any(|a| a.path().is_ident("macro_export")) => {
                templates::items(item).iter().for_each(|item| self.item(item));
            }
            _ => {}
        }
    }

    fn definition(&mut self, item: &syn::ItemTrait) {
        self.collect(|paths| {
            paths.visit_generics(&item.generics);
            item.supertraits.iter().for_each(|bound| paths.visit_type_param_bound(bound));
            for item in &item.items {
                match item {
                    syn::TraitItem::Fn(item) => paths.visit_signature(&item.sig),
                    syn::TraitItem::Const(item) => paths.visit_type(&item.ty),
                    syn::TraitItem::Type(item) => paths.visit_trait_item_type(item),
                    _ => {}
                }
            }
        });
    }

    fn implementation(&mut self, item: &syn::ItemImpl) {
        let Some((of, _)) = &item.trait_ else { return self.inherent(item) };
        if !self.is_nameable(of) || !self.is_nameable_type(&item.self_ty) {
            return;
        }
        // The functions have the signatures of the trait.
        self.collect(|paths| {
            paths.visit_path(of);
            paths.visit_type(&item.self_ty);
            paths.visit_generics(&item.generics);
            for item in &item.items {
                if let syn::ImplItem::Type(item) = item {
                    paths.visit_type(&item.ty);
                }
            }
        });
    }

    fn inherent(&mut self, item: &syn::ItemImpl) {
        self.collect(|paths| {
            let mut has_public = false;
            for item in &item.items {
                match item {
                    syn::ImplItem::Fn(item) if is_public(&item.vis) && !is_test(&item.attrs) => {
                        paths.visit_signature(&item.sig);
                        has_public = true;
                    }
                    syn::ImplItem::Const(item) if is_public(&item.vis) => {
                        paths.visit_type(&item.ty);
                        has_public = true;
                    }
                    _ => {}
                }
            }
            if has_public {
                paths.visit_generics(&item.generics);
            }
        });
    }

    /// Whether other crates can name the type, as far as its own path tells.
    fn is_nameable_type(&self, of: &syn::Type) -> bool {
        match of {
            syn::Type::Path(of) => self.is_nameable(&of.path),
            syn::Type::Reference(of) => self.is_nameable_type(&of.elem),
            _ => true,
        }
    }

    /// Whether other crates can name the item: it is theirs, or it is public.
    fn is_nameable(&self, path: &syn::Path) -> bool {
        match self.names.resolve(self.at, &written(path)) {
            Some(Target::Local { module, item: Some(name) }) => {
                let code = self.modules.get(module).into_iter().flat_map(|module| &module.code);
                code.into_iter().filter_map(definition).any(|(vis, ident)| *ident == name && is_public(vis))
            }
            _ => true,
        }
    }
}

/// The visibility and the name of a type or trait.
fn definition(item: &syn::Item) -> Option<(&syn::Visibility, &syn::Ident)> {
    match item {
        syn::Item::Enum(item) => Some((&item.vis, &item.ident)),
        syn::Item::Struct(item) => Some((&item.vis, &item.ident)),
        syn::Item::Trait(item) => Some((&item.vis, &item.ident)),
        syn::Item::Type(item) => Some((&item.vis, &item.ident)),
        syn::Item::Union(item) => Some((&item.vis, &item.ident)),
        _ => None,
    }
}

const fn is_public(visible: &syn::Visibility) -> bool {
    matches!(visible, syn::Visibility::Public(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::parse;

    /// The crates in the interface of a crate with these files. It depends on `one` and `other`.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let known = ["one", "other"].map(str::to_owned).into();
        crates(&parse(files), &known).into_keys().collect()
    }

    fn found_in(root: &str) -> Vec<String> {
        found(&[("lib.rs", root)])
    }

    #[test]
    fn a_foreign_type_in_a_public_item_is_found() {
        for item in [
            "pub fn f(a: one::A) {}",
            "pub fn f() -> Vec<one::A> { Vec::new() }",
            "pub fn f<T: one::A>() {}",
            "pub fn f() -> impl Fn(one::A) { |_| {} }",
            "pub fn f<T>() where T: one::A {}",
            "pub struct S(pub one::A);",
            "pub struct S<T: one::A> { a: T }",
            "pub enum E { V { a: one::A } }",
            "pub trait T: one::A {}",
            "pub trait T { fn f(&self, a: &dyn one::A); }",
            "pub trait T { type A: one::A; }",
            "pub type T = one::A;",
            "pub static S: Option<one::A> = None;",
            "pub struct S; impl S { pub fn f(&self) -> one::A { one::a() } }",
            "pub struct S; impl From<one::A> for S {}",
            "pub struct S; impl Iterator for S { type Item = one::A; }",
            "pub trait T {} impl T for one::A {}",
            "pub use one::A;",
            "pub use one;",
            "pub use one::*;",
            "pub fn f(a: ::one::A) {}",
            "macro_rules! m { ($name:ident) => { pub struct $name; impl From<one::A> for $name {} }; }",
        ] {
            assert_eq!(found_in(item), ["one"], "{item}");
        }
    }

    #[test]
    fn a_foreign_type_that_no_other_crate_sees_is_not_found() {
        for item in [
            "pub fn f() { one::a(); }",
            "pub(crate) fn f(a: one::A) {}",
            "fn f(a: one::A) {}",
            "pub struct S { a: one::A }",
            "pub struct S(pub(crate) one::A);",
            "pub struct S; impl S { fn f(a: one::A) {} pub fn g() { one::a(); } }",
            "struct S; impl From<one::A> for S {}",
            "trait T {} impl T for one::A {}",
            "use one::A;",
            "pub(crate) use one::A;",
            "type T = one::A;",
            "pub trait T { fn f() { one::a(); } }",
            "#[cfg(test)] pub fn f(a: one::A) {}",
            "#[one::test] pub fn f() {}",
            "pub fn f(a: std::io::Error, b: unknown::B) {}",
            "#[macro_export] macro_rules! m { () => { pub fn f(a: one::A) {} }; }",
        ] {
            assert!(found_in(item).is_empty(), "{item}");
        }
    }

    #[test]
    fn names_are_followed_through_imports_re_exports_and_aliases() {
        for root in [
            "use one::A; pub fn f(a: A) {}",
            "use one::a::{self as b}; pub fn f(a: b::A) {}",
            "mod m; use m::A; pub fn f(a: A) {}",
            "mod m; pub fn f(a: m::Alias) {}",
            "mod m; use m::*; pub fn f(a: Alias) {}",
            "type Here = Vec<one::A>; pub fn f(a: Here) {}",
        ] {
            let module = "pub(crate) use one::A; pub(crate) type Alias = Option<super::m::A>;";
            assert_eq!(found(&[("lib.rs", root), ("m.rs", module)]), ["one"], "{root}");
        }
    }

    #[test]
    fn a_module_of_the_crate_is_no_other_crate_with_the_same_name() {
        let root = "mod one; mod user;";
        let user = "use crate::one; pub fn f(a: one::A, b: crate::one::A) {}";
        assert!(found(&[("lib.rs", root), ("one.rs", "pub struct A;"), ("user.rs", user)]).is_empty());
    }

    #[test]
    fn a_use_is_told_with_its_path_and_module() {
        let files = [("lib.rs", "mod m;"), ("m.rs", "use other::Thing; pub fn f(a: Thing) {}")];
        let known = ["other".to_owned()].into();
        assert_eq!(crates(&parse(&files), &known)["other"], "other::Thing in m");
    }
}
