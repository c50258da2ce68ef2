//! Every vendor's words for the same thing: a table, with a row for each vendor and wording.
//!
//! A row holds for whoever sends its words: proxies pass on what others say, and compatible servers say what their models'
//! makers say. Each kind is a file in `vendors/`. The first row that fits decides, so the order of the kinds matters: "this
//! request requires more credits, or fewer max_tokens" is about the request, not about the credit.
//!
//! To add a wording, add a row: the tests take its sample through the whole classification, and `docs/vendors.md` lists it.

mod content;
mod context;
mod credit;
mod keys;
mod models;
mod too_large;

use super::category::ErrorCategory;
use super::rule::{ErrorRule, MODEL};
use super::text::ErrorText;

const TABLE: [(ErrorCategory, &[ErrorRule]); 6] = [
    (ErrorCategory::ContextTooLong, context::CONTEXT_TOO_LONG),
    (ErrorCategory::RequestTooLarge, too_large::REQUEST_TOO_LARGE),
    (ErrorCategory::UnknownModel, models::UNKNOWN_MODEL),
    (ErrorCategory::ContentPolicy, content::CONTENT_POLICY),
    (ErrorCategory::QuotaExhausted, credit::QUOTA_EXHAUSTED),
    (ErrorCategory::InvalidKey, keys::INVALID_KEY),
];

/// A vendor's wording, for the page that lists them and for tests.
#[derive(Debug, Clone, Copy)]
pub struct Wording {
    /// What it means.
    pub meaning: ErrorCategory,
    /// Who says it.
    pub vendor: &'static str,
    /// With these statuses; empty: with any 4xx.
    pub statuses: &'static [u16],
    /// The type or code is one of these; empty: whatever it is.
    pub names: &'static [&'static str],
    /// The beginning of the message, in lower case; `…` stands for any text, `{model}` for the requested model's name.
    pub words: &'static str,
    /// Where it was seen.
    pub source: &'static str,
    sample: (u16, &'static str),
}

impl Wording {
    /// The status and the body of an example for a request for `model`; 200: the error is inside an answer.
    #[must_use]
    pub fn sample(&self, model: &str) -> (u16, String) {
        (self.sample.0, self.sample.1.replace(MODEL, model))
    }
}

/// Every wording.
pub fn wordings() -> impl Iterator<Item = Wording> {
    TABLE.into_iter().flat_map(|(meaning, rows)| {
        rows.iter().map(move |row| Wording {
            meaning,
            vendor: row.vendor,
            statuses: row.statuses,
            names: row.names,
            words: row.words,
            source: row.source,
            sample: row.sample,
        })
    })
}

/// What an error means by its words: as the first row says that fits, or as its form does.
pub(super) fn category_of(error: &ErrorText<'_>) -> ErrorCategory {
    if error.flagged {
        return ErrorCategory::ContentPolicy;
    }
    let fits = |rules: &[ErrorRule]| rules.iter().any(|rule| rule.fits(error));
    let matched = TABLE.into_iter().find_map(|(meaning, rules)| fits(rules).then_some(meaning));
    matched.or(error.daily_quota.then_some(ErrorCategory::QuotaExhausted)).unwrap_or(ErrorCategory::Other)
}
