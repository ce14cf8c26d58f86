//! The modules of a crate: the items, imports and paths of each.
//!
//! - [`names`] resolves the paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

pub(crate) mod names;

/// A path as it is written, beginning with `crate`, `self`, `super` or a name.
pub(crate) type Written = Vec<String>;

/// A module, with its path from the root of the crate. The path of the root is empty.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) at: Vec<String>,
    /// The names of the items that its file defines, except modules.
    pub(crate) items: BTreeSet<String>,
    pub(crate) children: BTreeSet<String>,
    /// The imported items, by their names in this module.
    pub(crate) imports: BTreeMap<String, Import>,
    /// The modules whose items are all imported.
    pub(crate) globs: Vec<Import>,
    /// The paths of at least two names in its code.
    pub(crate) paths: BTreeSet<Written>,
    /// The items of its file, without modules and tests.
    pub(crate) code: Vec<syn::Item>,
}

#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) path: Written,
    /// Whether it is a re-export.
    pub(crate) is_export: bool,
    /// Whether it is a re-export to other crates.
    pub(crate) is_public: bool,
}

/// Reads a crate from the file of its root.
///
/// # Errors
/// Fails if a file is missing or cannot be parsed.
pub(crate) fn read(root: &Path) -> anyhow::Result<Vec<Module>> {
    let folder = root.parent().context("a file lies in a folder")?;
    let mut modules = Vec::new();
    read_file(root, folder, &[], &mut modules)?;
    Ok(modules)
}

/// Reads the file of a module. The files of its child modules are in `folder`.
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
            item if is_test(attributes(&item)) => {}
            item => {
                reader.visit_item(&item);
                reader.module.code.push(item);
            }
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

/// Collects the contents of a module.
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
                if import.leading_colon.is_none() {
                    self.import(&import.tree, Vec::new(), &import.vis);
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

    /// Paths in documentation are links and no uses.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}

impl Reader {
    fn add(&mut self, path: Written) {
        if path.len() > 1 {
            self.module.paths.insert(path);
        }
    }

    fn import(&mut self, tree: &syn::UseTree, mut path: Written, visible: &syn::Visibility) {
        let import = |path| Import {
            path,
            is_export: !matches!(visible, syn::Visibility::Inherited),
            is_public: matches!(visible, syn::Visibility::Public(_)),
        };
        match tree {
            syn::UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.import(&inner.tree, path, visible);
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                let known_as = path.last().cloned().unwrap_or_default();
                self.module.imports.insert(known_as, import(path));
            }
            syn::UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.module.imports.insert(name.ident.to_string(), import(path));
            }
            syn::UseTree::Rename(renamed) => {
                if renamed.ident != "self" {
                    path.push(renamed.ident.to_string());
                }
                // Several items may be imported as `_`.
                let known_as = match renamed.rename.to_string().as_str() {
                    "_" => format!("_{}", path.join("::")),
                    name => name.to_owned(),
                };
                self.module.imports.insert(known_as, import(path));
            }
            syn::UseTree::Glob(_) => self.module.globs.push(import(path)),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), visible);
                }
            }
        }
    }

    /// Collects the paths among the tokens of a macro call.
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

/// The name by which other files can use an item.
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

/// Whether an item is compiled for tests or documentation only.
pub(crate) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|condition| condition == "test" || condition == "doc")
    })
}

#[cfg(test)]
pub(crate) fn parse(files: &[(&str, &str)]) -> Vec<Module> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    read(&folder.path().join("lib.rs")).unwrap()
}
