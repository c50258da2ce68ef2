//! The modules of a crate, as its sources declare them. Code that is compiled for tests only is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::{imports::Import, repository};

/// A module: inline or a file of its own.
#[derive(Debug)]
pub(crate) struct Module {
    /// The file that its code stands in.
    pub(crate) file: PathBuf,
    /// The enclosing module.
    pub(crate) parent: Option<usize>,
    /// Modules declared in it.
    pub(crate) children: BTreeMap<String, usize>,
    /// Names of the items that it defines.
    pub(crate) items: BTreeSet<String>,
    /// What it imports, also in bodies of functions.
    pub(crate) imports: Vec<Import>,
    /// Paths that its code mentions.
    pub(crate) paths: Vec<(Vec<String>, usize)>,
}

/// All modules of a crate; the first is its root.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) modules: Vec<Module>,
}

impl Crate {
    /// Reads a crate from its root file on.
    pub(crate) fn read(root: &Path) -> Self {
        let mut read = Self { modules: Vec::new() };
        read.add_file(root, None);
        read
    }

    fn add_file(&mut self, file: &Path, parent: Option<usize>) -> usize {
        let text = repository::read(file);
        let tokens = text.parse().unwrap_or_else(|error| panic!("cannot parse {}: {error}", file.display()));
        let folder = file.parent().unwrap_or(Path::new(""));
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let children = match stem.as_str() {
            "lib" | "main" | "mod" => folder.to_owned(),
            name => folder.join(name),
        };
        self.add_module(file, parent, &children, tokens)
    }

    fn add_module(
        &mut self,
        file: &Path,
        parent: Option<usize>,
        folder: &Path,
        tokens: TokenStream,
    ) -> usize {
        let id = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            paths: Vec::new(),
        });
        let tokens = product_code(tokens);
        self.add_items(id, &tokens);
        for (name, inline) in declared_modules(&tokens) {
            let child = match inline {
                Some(tokens) => self.add_module(file, Some(id), &folder.join(&name), tokens),
                None => {
                    let plain = folder.join(format!("{name}.rs"));
                    let nested = folder.join(&name).join("mod.rs");
                    self.add_file(if plain.exists() { &plain } else { &nested }, Some(id))
                }
            };
            self.modules[id].children.insert(name, child);
        }
        id
    }

    fn add_items(&mut self, id: usize, tokens: &[TokenTree]) {
        let module = &mut self.modules[id];
        module.items.extend(defined_names(tokens));
        crate::imports::scan(tokens, &mut module.imports, &mut module.paths);
    }
}

/// The tokens without attributes and without what only tests compile.
pub(crate) fn product_code(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        if !is_punct(&token, '#') {
            kept.push(token);
            continue;
        }
        if rest.peek().is_some_and(|next| is_punct(next, '!')) {
            rest.next();
        }
        match rest.next() {
            Some(TokenTree::Group(attribute)) if is_test_only(&attribute.stream()) => skip_item(&mut rest),
            Some(TokenTree::Group(_)) | None => {}
            Some(other) => kept.extend([token, other]),
        }
    }
    kept
}

fn is_test_only(attribute: &TokenStream) -> bool {
    let text: String = attribute.to_string().chars().filter(|letter| !letter.is_whitespace()).collect();
    text == "test" || text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// Skips what follows a `#[cfg(test)]`: an item, a statement, a field or an arm.
fn skip_item(rest: &mut std::iter::Peekable<proc_macro2::token_stream::IntoIter>) {
    let mut ends_with_braces = true;
    let mut is_item = false;
    for token in rest.by_ref() {
        match &token {
            TokenTree::Ident(word) => match word.to_string().as_str() {
                "use" | "static" | "type" | "let" if !is_item => (ends_with_braces, is_item) = (false, true),
                "fn" | "impl" | "mod" | "struct" | "enum" | "trait" => {
                    (ends_with_braces, is_item) = (true, true);
                }
                "const" if !is_item => ends_with_braces = false,
                _ => {}
            },
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && ends_with_braces => return,
            token if is_punct(token, ';') || (!is_item && is_punct(token, ',')) => return,
            _ => {}
        }
    }
}

/// Whether a token is this mark.
pub(crate) fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn declared_modules(tokens: &[TokenTree]) -> Vec<(String, Option<TokenStream>)> {
    let mut found = Vec::new();
    for window in tokens.windows(3) {
        let [TokenTree::Ident(word), TokenTree::Ident(name), after] = window else { continue };
        if word != "mod" {
            continue;
        }
        match after {
            TokenTree::Group(body) => found.push((name.to_string(), Some(body.stream()))),
            _ => found.push((name.to_string(), None)),
        }
    }
    found
}

fn defined_names(tokens: &[TokenTree]) -> Vec<String> {
    const KEYWORDS: [&str; 8] = ["fn", "struct", "enum", "trait", "const", "static", "type", "union"];
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Ident(word) = token else { continue };
        let word = word.to_string();
        let mut next = tokens.get(at + 1..).unwrap_or_default().iter().filter_map(|token| match token {
            TokenTree::Ident(name) => Some(name.to_string()),
            _ => None,
        });
        if KEYWORDS.contains(&word.as_str()) {
            // `const fn`, `static mut` and the like name their item one word later.
            found.extend(
                next.find(|name| !["fn", "mut", "unsafe", "async", "extern"].contains(&name.as_str())),
            );
        } else if word == "macro_rules" {
            found.extend(next.next());
        }
    }
    found
}
