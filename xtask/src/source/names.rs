//! Resolution of the paths within a crate.

use std::collections::BTreeMap;

use super::{Import, Module, Written};

/// The target of a path. Modules are given by their indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An item that the file of a module defines; without an item, the module itself.
    Local { module: usize, item: Option<String> },
    /// A path that begins with a name that no module of the crate defines, such as the name of
    /// another crate. `through` is the module that imports it, if another one uses it from there.
    Foreign { path: Written, through: Option<usize> },
}

impl Target {
    /// The module of the crate whose file defines or imports the target.
    pub(crate) fn module(&self) -> Option<usize> {
        match self {
            Self::Local { module, .. } => Some(*module),
            Self::Foreign { through, .. } => *through,
        }
    }
}

/// The modules of a crate, by their paths.
pub(crate) struct Names<'a> {
    modules: &'a [Module],
    by_path: BTreeMap<&'a [String], usize>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(modules: &'a [Module]) -> Self {
        let by_path = modules.iter().enumerate().map(|(n, module)| (module.at.as_slice(), n)).collect();
        Self { modules, by_path }
    }

    /// The target of a path in a module. `None` if the path leads nowhere, such as to a module
    /// above the root.
    pub(crate) fn resolve(&self, from: usize, path: &[String]) -> Option<Target> {
        self.follow(from, path, 0)
    }

    fn follow(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        // Names that are imported from each other would never resolve.
        if depth > 16 {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let module = self.modules.get(from)?;
        match first.as_str() {
            // A path that begins with `::` leads to another crate.
            "" => Some(Target::Foreign { path: rest.to_vec(), through: None }),
            "crate" => self.walk(*self.by_path.get([].as_slice())?, rest, depth),
            "self" => self.walk(from, rest, depth),
            "super" => {
                let (_, above) = module.at.split_last()?;
                self.follow_above(*self.by_path.get(above)?, rest, depth)
            }
            _ => {
                let foreign = || Target::Foreign { path: path.to_vec(), through: None };
                Some(self.step(from, path, depth).unwrap_or_else(foreign))
            }
        }
    }

    /// As [`follow`](Self::follow), for the rest of a path after `super`. Another `super` may
    /// follow.
    fn follow_above(&self, above: usize, rest: &[String], depth: usize) -> Option<Target> {
        match rest.first().map(String::as_str) {
            Some("super") => self.follow(above, rest, depth + 1),
            _ => self.walk(above, rest, depth),
        }
    }

    /// The target of a path relative to a module. If that module's file defines none of the names,
    /// it is taken as the one that defines the first.
    fn walk(&self, at: usize, names: &[String], depth: usize) -> Option<Target> {
        if names.is_empty() {
            return Some(Target::Local { module: at, item: None });
        }
        Some(match self.step(at, names, depth) {
            None => Target::Local { module: at, item: names.first().cloned() },
            Some(Target::Foreign { path, through: None }) => Target::Foreign { path, through: Some(at) },
            Some(target) => target,
        })
    }

    /// The target of a path whose first name a module defines or imports, else `None`.
    fn step(&self, at: usize, names: &[String], depth: usize) -> Option<Target> {
        let (name, rest) = names.split_first()?;
        let module = self.modules.get(at)?;
        if module.items.contains(name) {
            return Some(Target::Local { module: at, item: Some(name.clone()) });
        }
        if module.children.contains(name) {
            let below = [module.at.as_slice(), std::slice::from_ref(name)].concat();
            return self.walk(*self.by_path.get(below.as_slice())?, rest, depth);
        }
        if let Some(Import { path, .. }) = module.imports.get(name) {
            // The name is imported from a crate with the same name.
            if path.first() == Some(name) && path.len() == 1 {
                return Some(Target::Foreign { path: names.to_vec(), through: None });
            }
            let full = [path.as_slice(), rest].concat();
            return self.follow(at, &full, depth + 1);
        }
        let through = |glob: &Import| {
            let to = self.follow(at, &glob.path, depth + 1)?.module()?;
            if to == at { None } else { self.step(to, names, depth + 1) }
        };
        module.globs.iter().find_map(through)
    }
}
