//! `use` declarations and the paths in code.

use proc_macro2::{Delimiter, TokenTree};

use crate::modules::{is_punct, product_code};

/// One name that a `use` declaration brings into scope.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    /// The name in scope; `*` for all names of a module.
    pub(crate) name: String,
    /// The path that is imported; without the `*`.
    pub(crate) path: Vec<String>,
    /// Whether the declaration is `pub` in any form.
    pub(crate) is_public: bool,
    /// Its line.
    pub(crate) line: usize,
}

/// Collects imports and paths from code, groups included, inline modules excluded.
pub(crate) fn scan(tokens: &[TokenTree], imports: &mut Vec<Import>, paths: &mut Vec<(Vec<String>, usize)>) {
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(word) if word == "use" && !is_capture(tokens, at) => {
                let end = tokens[at..].iter().position(|token| is_punct(token, ';'));
                let end = end.map_or(tokens.len(), |length| at + length);
                let is_public = at > 0 && is_visibility(&tokens[..at]);
                let line = word.span().start().line;
                tree(&tokens[at + 1..end], &[], &mut |name, path| {
                    imports.push(Import { name, path, is_public, line });
                });
                at = end;
            }
            TokenTree::Ident(word)
                if word == "mod" && matches!(tokens.get(at + 2), Some(TokenTree::Group(_))) =>
            {
                at += 3;
            }
            TokenTree::Ident(_) => {
                let follows_dot = at > 0 && is_punct(&tokens[at - 1], '.');
                let (path, line, next) = path_at(tokens, at);
                if !follows_dot || path.len() > 1 {
                    paths.push((path, line));
                }
                at = next;
            }
            TokenTree::Group(group) => {
                scan(&product_code(group.stream()), imports, paths);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// `use<'a>` in a bound is no import.
fn is_capture(tokens: &[TokenTree], at: usize) -> bool {
    tokens.get(at + 1).is_some_and(|token| is_punct(token, '<'))
}

fn is_visibility(before: &[TokenTree]) -> bool {
    let is_pub = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "pub");
    match before {
        [.., token] if is_pub(token) => true,
        [.., token, TokenTree::Group(_)] => is_pub(token),
        _ => false,
    }
}

/// The path that begins at a token, its line, and where it ends. Generic arguments in it end it.
fn path_at(tokens: &[TokenTree], start: usize) -> (Vec<String>, usize, usize) {
    let mut path = Vec::new();
    let mut at = start;
    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
        path.push(word.to_string());
        at += 1;
        let is_separator = |at: usize| tokens.get(at).is_some_and(|token| is_punct(token, ':'));
        if is_separator(at) && is_separator(at + 1) {
            at += 2;
        } else {
            break;
        }
    }
    (path, tokens[start].span().start().line, at.max(start + 1))
}

/// Goes through a tree of imports: `a::{b, c::d as e, f::*}`.
fn tree(tokens: &[TokenTree], prefix: &[String], found: &mut dyn FnMut(String, Vec<String>)) {
    for branch in tokens.split(|token| is_punct(token, ',')) {
        let mut path = prefix.to_vec();
        let mut alias = None;
        let mut is_renamed = false;
        let mut is_leaf = !branch.is_empty();
        for token in branch {
            match token {
                TokenTree::Ident(word) if word == "as" => is_renamed = true,
                TokenTree::Ident(word) if is_renamed => alias = Some(word.to_string()),
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    tree(&group.stream().into_iter().collect::<Vec<_>>(), &path, found);
                    is_leaf = false;
                }
                token if is_punct(token, '*') => alias = Some("*".to_owned()),
                _ => {}
            }
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if is_leaf && let Some(name) = alias.or_else(|| path.last().cloned()) {
            found(name, path);
        }
    }
}
