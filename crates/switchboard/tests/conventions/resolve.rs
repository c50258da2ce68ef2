//! Which file defines what a path names.

use std::collections::BTreeSet;

use crate::modules::Crate;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A module.
    Module(usize),
    /// An item that this module defines.
    Item(usize),
    /// Something of another crate.
    External,
}

impl Crate {
    /// Follows a path from a module, through re-exports, to what it names. Nothing for other crates' names.
    pub(crate) fn resolve(&self, from: usize, path: &[String]) -> Option<Target> {
        self.follow(from, path, &mut BTreeSet::new())
    }

    fn follow(&self, from: usize, path: &[String], seen: &mut BTreeSet<(usize, String)>) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut rest = rest;
        let start = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => {
                let mut module = self.modules[from].parent?;
                while rest.first().is_some_and(|next| next == "super") {
                    module = self.modules[module].parent?;
                    rest = &rest[1..];
                }
                Target::Module(module)
            }
            name => self.lookup(from, name, seen)?,
        };
        rest.iter().try_fold(start, |target, name| match target {
            // Variants and associated items belong to their type's file.
            Target::Item(_) | Target::External => Some(target),
            // What a macro defines is in no list: it is taken to be the module's own.
            Target::Module(module) => Some(self.lookup(module, name, seen).unwrap_or(Target::Item(module))),
        })
    }

    /// What a name stands for in a module: a child, an own item, or an import.
    fn lookup(&self, module: usize, name: &str, seen: &mut BTreeSet<(usize, String)>) -> Option<Target> {
        if !seen.insert((module, name.to_owned())) {
            return None;
        }
        let scope = &self.modules[module];
        let found = if let Some(&child) = scope.children.get(name) {
            Some(Target::Module(child))
        } else if scope.items.contains(name) {
            Some(Target::Item(module))
        } else {
            let named = scope.imports.iter().filter(|import| import.name == name);
            named.chain(scope.imports.iter().filter(|import| import.name == "*")).find_map(|import| {
                if import.name != "*" {
                    return Some(self.follow(module, &import.path, seen).unwrap_or(Target::External));
                }
                match self.follow(module, &import.path, seen)? {
                    Target::Module(source) => self.lookup(source, name, seen),
                    // The variants of an enum: their names are in no list.
                    Target::Item(_) | Target::External => None,
                }
            })
        };
        seen.remove(&(module, name.to_owned()));
        found
    }
}
