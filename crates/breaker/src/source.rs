//! Whose call it was: the caller's name and a tag of its request. Failures are counted by source, so that one caller, or
//! one request, takes no model from the others (B12).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CallerName, Timestamp};

/// The most entries of a [`SourceCounts`].
const MAX_SOURCES: usize = 4;

/// Whose call it was. It says nothing of the request but 8 bits of a keyed hash: they tell two requests apart, and
/// neither reveal nor confirm one (C5).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The name of the caller's key; `None`: its gateway has no named keys, so all its calls are one caller's.
    pub caller: Option<CallerName>,
    /// The tag of the request: the same request of the same caller has the same. `None`: nothing is known of the request,
    /// so it may have been any of its caller.
    pub tag: Option<u8>,
}

/// Who asks for a permit. A trait, because the tag costs a hash of the request, which hardly any call needs.
pub trait Requester {
    /// Whether it is this caller.
    fn is_from(&self, caller: Option<&CallerName>) -> bool;

    /// Its source, with the tag; `None`: it names nobody. Its failures then are others' failures for every source.
    fn source(&self) -> Option<Source>;
}

impl Requester for Option<Source> {
    fn is_from(&self, caller: Option<&CallerName>) -> bool {
        self.as_ref().is_some_and(|source| source.caller.as_ref() == caller)
    }

    fn source(&self) -> Option<Source> {
        self.clone()
    }
}

/// Requests of one caller: all of them, or those with one tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceScope {
    /// The caller; `None`: the one caller of gateways without named keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerName>,
    /// Only requests with this tag; `None`: all of this caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<u8>,
}

impl SourceScope {
    /// All requests of a caller.
    #[must_use]
    pub const fn of_caller(caller: Option<CallerName>) -> Self {
        Self { caller, tag: None }
    }

    /// Whether this request is among them. The tag is computed only if the caller is the same and the tag matters.
    #[must_use]
    pub fn includes(&self, requester: &dyn Requester) -> bool {
        requester.is_from(self.caller.as_ref())
            && self.tag.is_none_or(|tag| requester.source().is_some_and(|source| source.tag == Some(tag)))
    }

    /// Whether all requests of another scope are among them.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.caller == other.caller && (self.tag.is_none() || self.tag == other.tag)
    }
}

impl fmt::Display for SourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tag, &self.caller) {
            (Some(_), Some(caller)) => write!(f, "one request of caller {caller}"),
            (Some(_), None) => f.write_str("one request"),
            (None, Some(caller)) => write!(f, "caller {caller}"),
            (None, None) => f.write_str("callers without a key"),
        }
    }
}

/// A source whose calls are refused while others' are admitted, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourceBlock {
    /// Whose calls.
    #[serde(flatten)]
    pub scope: SourceScope,
    /// Until when.
    pub until: Timestamp,
}

/// Failures by source: at most four entries. What they do not hold is the failures of others.
///
/// Where there is no place for a newcomer, requests of one caller are counted together, and a source that failed once
/// gives way. So a source that fails often keeps its count, whoever else fails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceCounts(Vec<SourceCount>);

/// A source's failures. Without a tag: those of the caller's requests that have no entry of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct SourceCount(String, Option<u8>, u32);

impl SourceCount {
    fn new(scope: &SourceScope, failures: u32) -> Self {
        let caller = scope.caller.as_ref().map_or_else(String::new, |name| name.as_str().to_owned());
        Self(caller, scope.tag, failures)
    }

    fn scope(&self) -> SourceScope {
        SourceScope { caller: self.0.parse().ok(), tag: self.1 }
    }
}

impl SourceCounts {
    /// Whether no failure names its source.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The failures that name a source.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0, |sum, entry| sum.saturating_add(entry.2))
    }

    /// The failures that are surely of this scope.
    #[must_use]
    pub fn of(&self, scope: &SourceScope) -> u32 {
        let entries = self.0.iter().filter(|entry| scope.contains(&entry.scope()));
        entries.fold(0, |sum, entry| sum.saturating_add(entry.2))
    }

    /// The callers that are named.
    pub(crate) fn caller_count(&self) -> usize {
        let mut names: Vec<&str> = self.0.iter().map(|entry| entry.0.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }

    /// Counts one failure.
    pub(crate) fn add(&mut self, source: &Source) {
        let scope = SourceScope { caller: source.caller.clone(), tag: source.tag };
        let newcomer = SourceCount::new(&scope, 1);
        if let Some(entry) = self.0.iter_mut().find(|entry| (&entry.0, entry.1) == (&newcomer.0, newcomer.1))
        {
            entry.2 = entry.2.saturating_add(1);
        } else if self.0.len() < MAX_SOURCES || self.merge_single_failures() {
            self.0.push(newcomer);
        } else if let Some(index) = self.entry_to_join(&newcomer.0) {
            self.0[index].1 = None;
            self.0[index].2 = self.0[index].2.saturating_add(1);
        } else if let Some(index) = self.0.iter().position(|entry| entry.2 == 1) {
            // Its failure now is one of others', which can only make a trip wider.
            self.0.remove(index);
            self.0.push(newcomer);
        }
    }

    /// Frees an entry: a request that failed once is counted together with others of its caller.
    fn merge_single_failures(&mut self) -> bool {
        let single = |entry: &SourceCount| entry.1.is_some() && entry.2 == 1;
        let pair = self.0.iter().enumerate().filter(|(_, entry)| single(entry)).find_map(|(index, entry)| {
            let partner = self.0.iter().enumerate().position(|(other, partner)| {
                other != index && partner.0 == entry.0 && (partner.1.is_none() || single(partner))
            })?;
            Some((index, partner))
        });
        let Some((index, partner)) = pair else { return false };
        self.0[partner].1 = None;
        self.0[partner].2 = self.0[partner].2.saturating_add(1);
        self.0.remove(index);
        true
    }

    /// Where a request of this caller is counted if it cannot have an entry of its own.
    fn entry_to_join(&self, caller: &str) -> Option<usize> {
        let own = self.0.iter().enumerate().filter(|(_, entry)| entry.0 == caller);
        own.min_by_key(|(_, entry)| (entry.1.is_some(), entry.2)).map(|(index, _)| index)
    }

    /// Adds another bucket's counts, however many sources there are.
    pub(crate) fn extend(&mut self, other: &Self) {
        for theirs in &other.0 {
            match self.0.iter_mut().find(|ours| (&ours.0, ours.1) == (&theirs.0, theirs.1)) {
                Some(ours) => ours.2 = ours.2.saturating_add(theirs.2),
                None => self.0.push(theirs.clone()),
            }
        }
    }

    /// Without what is of these scopes.
    pub(crate) fn without(&self, scopes: &[&SourceScope]) -> Self {
        let is_left_out = |entry: &SourceCount| scopes.iter().any(|scope| scope.contains(&entry.scope()));
        Self(self.0.iter().filter(|entry| !is_left_out(entry)).cloned().collect())
    }

    /// What is read from the store has no more entries than what is written.
    pub(crate) fn bounded(mut self) -> Self {
        self.0.truncate(MAX_SOURCES);
        self
    }

    /// The request with the most failures, and the caller with the most: the scopes that a trip may be bound to, the
    /// narrowest first. The earlier one of equals.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = (SourceScope, u32)> {
        let by_count = |(scope, count): (SourceScope, u32), other: (SourceScope, u32)| {
            if other.1 > count { other } else { (scope, count) }
        };
        let tags = self.0.iter().filter(|entry| entry.1.is_some());
        let callers = self.0.iter().map(|entry| SourceScope { tag: None, ..entry.scope() });
        let request = tags.map(|entry| (entry.scope(), entry.2)).reduce(by_count);
        let caller = callers.map(|scope| (scope.clone(), self.of(&scope))).reduce(by_count);
        request.into_iter().chain(caller)
    }

    /// What consecutive failures trip for: the narrowest scope that all but one of them are of, and most of them; `None`:
    /// all. Where each of two sources has failed once, neither is more suspect than the other, so it is for all.
    pub(crate) fn narrowest(&self, failures: u32) -> Option<SourceScope> {
        self.candidates().find_map(|(scope, count)| {
            let others = failures.saturating_sub(count);
            (others < WIDENING_FAILURES && count > others).then_some(scope)
        })
    }

    /// What a trip bound to a scope is for, after failures of others; `Some(None)`: for all; `None`: it stays.
    pub(crate) fn widened(&self, bound_to: &SourceScope, failures: u32) -> Option<Option<SourceScope>> {
        let others_of = |scope: &SourceScope| failures.saturating_sub(self.of(scope));
        if others_of(bound_to) < WIDENING_FAILURES {
            return None;
        }
        let caller = SourceScope::of_caller(bound_to.caller.clone());
        Some((bound_to.tag.is_some() && others_of(&caller) < WIDENING_FAILURES).then_some(caller))
    }
}

/// Failures of others that show that a fault is not one source's own. One may be chance.
const WIDENING_FAILURES: u32 = 2;

#[cfg(test)]
mod tests;
