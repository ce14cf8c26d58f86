//! The modules of a crate: what each defines, imports and names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A path as it is written: `crate`, `self` or `super` first, or a name.
pub(super) type Written = Vec<String>;

/// A module, by its names from the crate's root, which has none.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) at: Vec<String>,
    /// What its file defines, modules left out.
    pub(super) items: BTreeSet<String>,
    pub(super) children: BTreeSet<String>,
    /// What it imports, by the name that this has here.
    pub(super) imports: BTreeMap<String, Import>,
    /// Modules of which it imports everything.
    pub(super) globs: Vec<Import>,
    /// Paths of two names and more in its code.
    pub(super) paths: BTreeSet<Written>,
}

#[derive(Clone, Debug)]
pub(super) struct Import {
    pub(super) path: Written,
    /// Whether others can use it from here.
    pub(super) is_export: bool,
}

/// Reads a crate, beginning with the file of its root.
///
/// # Errors
/// When a file is missing or is no Rust.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<Module>> {
    let folder = root.parent().context("a file lies in a folder")?;
    let mut modules = Vec::new();
    read_file(root, folder, &[], &mut modules)?;
    Ok(modules)
}

/// Reads a module's file. Those of its children lie in a folder.
fn read_file(file: &Path, folder: &Path, at: &[String], all: &mut Vec<Module>) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let parsed = syn::parse_file(&text).with_context(|| format!("parsing {}", file.display()))?;
    read_items(parsed.items, folder, at, all)
}

fn read_items(
    items: Vec<syn::Item>,
    folder: &Path,
    at: &[String],
    all: &mut Vec<Module>,
) -> anyhow::Result<()> {
    let mut reader = Reader { module: Module { at: at.to_owned(), ..Module::default() } };
    let mut children = Vec::new();
    for item in items {
        match item {
            syn::Item::Mod(child) if !is_test(&child.attrs) => {
                reader.module.children.insert(child.ident.to_string());
                children.push(child);
            }
            item => reader.visit_item(&item),
        }
    }
    all.push(reader.module);
    for child in children {
        let name = child.ident.to_string();
        let at = [at, std::slice::from_ref(&name)].concat();
        let below = folder.join(&name);
        match child.content {
            Some((_, items)) => read_items(items, &below, &at, all)?,
            None => read_file(&file_of(folder, &name)?, &below, &at, all)?,
        }
    }
    Ok(())
}

fn file_of(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let files = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    let found = files.into_iter().find(|file| file.exists());
    ensure!(found.is_some(), "the module {name} has no file in {}", folder.display());
    found.context("a file")
}

/// Goes through a file.
struct Reader {
    module: Module,
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_test(attributes(item)) {
            return;
        }
        if let Some(name) = name(item) {
            self.module.items.insert(name);
        }
        match item {
            syn::Item::Use(import) => {
                let is_export = !matches!(import.vis, syn::Visibility::Inherited);
                if import.leading_colon.is_none() {
                    self.import(&import.tree, Vec::new(), is_export);
                }
            }
            item => visit::visit_item(self, item),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, of: &'ast syn::Macro) {
        visit::visit_macro(self, of);
        self.tokens(of.tokens.clone());
    }

    /// Paths in documentation lead to whoever is to be read next.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}

impl Reader {
    fn add(&mut self, path: Written) {
        if path.len() > 1 {
            self.module.paths.insert(path);
        }
    }

    fn import(&mut self, tree: &syn::UseTree, mut path: Written, is_export: bool) {
        match tree {
            syn::UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.import(&inner.tree, path, is_export);
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                let known_as = path.last().cloned().unwrap_or_default();
                self.module.imports.insert(known_as, Import { path, is_export });
            }
            syn::UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.module.imports.insert(name.ident.to_string(), Import { path, is_export });
            }
            syn::UseTree::Rename(renamed) => {
                if renamed.ident != "self" {
                    path.push(renamed.ident.to_string());
                }
                // Several are imported as `_`.
                let known_as = match renamed.rename.to_string().as_str() {
                    "_" => format!("_{}", path.join("::")),
                    name => name.to_owned(),
                };
                self.module.imports.insert(known_as, Import { path, is_export });
            }
            syn::UseTree::Glob(_) => self.module.globs.push(Import { path, is_export }),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), is_export);
                }
            }
        }
    }

    /// Paths among the tokens of a macro's call.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.add(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(colon) if colon.as_char() == ':' && colons < 2 => colons += 1,
                other => {
                    self.add(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.add(path);
    }
}

/// The name under which other files can use an item.
fn name(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether something is compiled for tests or documentation only.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|condition| condition == "test" || condition == "doc")
    })
}

#[cfg(test)]
pub(super) fn parse(files: &[(&str, &str)]) -> Vec<Module> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    read(&folder.path().join("lib.rs")).unwrap()
}
