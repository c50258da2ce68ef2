//! The graph of files of a crate: which file uses what which other file defines.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::{modules::Crate, resolve::Target};

/// Files by the path below `src`, without its ending.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// From file to file, with the places that make the edge: `line: path`.
    pub(crate) edges: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Graph {
    /// Reads the graph of the crate in a folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let source = folder.join("src");
        let mut graph = Self::default();
        for root in ["lib.rs", "main.rs"].map(|name| source.join(name)) {
            if root.exists() {
                graph.add(&Crate::read(&root), &source);
            }
        }
        graph
    }

    fn add(&mut self, krate: &Crate, source: &Path) {
        let name = |module: usize| -> String {
            let file = &krate.modules[module].file;
            let below = file.strip_prefix(source).unwrap_or(file).with_extension("");
            below.to_string_lossy().into_owned()
        };
        for id in 0..krate.modules.len() {
            let from = name(id);
            self.edges.entry(from.clone()).or_default();
            for (path, line) in krate.uses_of(id) {
                let Some(Target::Item(target)) = krate.resolve(id, path) else { continue };
                let to = name(target);
                if from != to {
                    let places = self.edges.entry(from.clone()).or_default().entry(to).or_default();
                    places.insert(format!("{line}: {}", path.join("::")));
                }
            }
        }
    }
}

impl Crate {
    /// What a module uses: its imports and the paths in its code. A re-export alone is no use.
    fn uses_of(&self, id: usize) -> impl Iterator<Item = (&[String], usize)> {
        let module = &self.modules[id];
        let imports = module.imports.iter().filter(|import| !import.is_public);
        let imports = imports.map(|import| (import.path.as_slice(), import.line));
        let paths = module.paths.iter().filter(|(path, _)| {
            // A local variable may have the name of an item: only paths and imported names count.
            path.len() > 1 || module.imports.iter().any(|import| import.is_public && import.name == path[0])
        });
        imports.chain(paths.map(|(path, line)| (path.as_slice(), *line)))
    }
}
