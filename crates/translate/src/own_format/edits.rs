//! Changes to a JSON text that leave all else as it stands.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::json::{Object, push_str};

/// Collects changes to a body.
#[derive(Debug)]
pub(super) struct Edits<'a> {
    body: &'a [u8],
    changes: Vec<(Range<usize>, String)>,
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: &'a RawValue,
    /// From the name to the end of the value.
    pub(super) span: Range<usize>,
}

impl<'a> Edits<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self { body, changes: Vec::new() }
    }

    /// Where a value of the body stands.
    pub(super) fn span(&self, value: &RawValue) -> Range<usize> {
        let start = value.get().as_ptr().addr().saturating_sub(self.body.as_ptr().addr());
        start..start + value.get().len()
    }

    /// The fields of an object in the body.
    pub(super) fn members(&self, object: &'a RawValue) -> Vec<Member<'a>> {
        let mut end = self.span(object).start + 1;
        let Some(fields) = Object::of(object) else { return Vec::new() };
        let members = fields.iter().map(|(name, value)| {
            let start = end + self.body.get(end..).and_then(|rest| memchr::memchr(b'"', rest)).unwrap_or(0);
            end = self.span(value).end;
            Member { name: Cow::Owned(name.to_owned()), value, span: start..end }
        });
        members.collect()
    }

    /// The fields of the body itself.
    pub(super) fn root_members(&self) -> Vec<Member<'a>> {
        serde_json::from_slice(self.body).map(|root| self.members(root)).unwrap_or_default()
    }

    /// Puts a text in the place of a value.
    pub(super) fn set_str(&mut self, value: &RawValue, text: &str) {
        let mut json = String::new();
        push_str(&mut json, text);
        self.set_json(value, json);
    }

    pub(super) fn set_json(&mut self, value: &RawValue, json: String) {
        let span = self.span(value);
        self.changes.push((span, json));
    }

    /// Takes items out of an array, each with its comma.
    pub(super) fn take_items(&mut self, items: &[&RawValue], is_gone: &[bool]) {
        let spans: Vec<_> = items.iter().map(|item| self.span(item)).collect();
        self.take(&spans, is_gone);
    }

    /// Takes fields out of an object, each with its comma.
    pub(super) fn take_members(&mut self, members: &[Member<'a>], is_gone: &[bool]) {
        let spans: Vec<_> = members.iter().map(|member| member.span.clone()).collect();
        self.take(&spans, is_gone);
    }

    fn take(&mut self, spans: &[Range<usize>], is_gone: &[bool]) {
        let last_kept = is_gone.iter().rposition(|gone| !gone);
        for (at, span) in spans.iter().enumerate().filter(|(at, _)| is_gone.get(*at) == Some(&true)) {
            let span = match last_kept {
                Some(kept) if at < kept => span.start..spans[at + 1].start,
                _ if at > 0 => spans[at - 1].end..span.end,
                _ => span.clone(),
            };
            self.changes.push((span, String::new()));
        }
    }

    /// The body as changed; `None`: nothing was.
    pub(super) fn finish(mut self) -> Option<Bytes> {
        if self.changes.is_empty() {
            return None;
        }
        // What is within something that was taken out comes behind it, and is passed over.
        self.changes.sort_by_key(|(span, _)| (span.start, Reverse(span.end)));
        let mut out = Vec::with_capacity(self.body.len());
        let mut at = 0;
        for (span, text) in &self.changes {
            if span.start < at {
                continue;
            }
            out.extend_from_slice(&self.body[at..span.start]);
            out.extend_from_slice(text.as_bytes());
            at = span.end;
        }
        out.extend_from_slice(&self.body[at..]);
        Some(out.into())
    }
}
