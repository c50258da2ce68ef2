//! What distinguishes one execution from another: the runner keeps inputs that show a feature for the first time.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

/// Features are counted in so many places; two of the same place count as one.
const PLACES: usize = 1 << 16;

/// Levels of a JSON value whose fields are features: below are arguments and schemas, which may be anything.
const FEATURE_DEPTH: usize = 6;

/// The features of one execution.
#[derive(Debug, Default)]
pub struct Features(Vec<u16>);

/// The features of all executions.
#[derive(Debug)]
pub struct FeatureSet {
    places: Vec<bool>,
    count: usize,
}

impl Features {
    /// Adds a feature. It must be the same for the same behaviour: a variant, the name of a field, no text of the input.
    pub fn add(&mut self, feature: impl Hash) {
        let mut hasher = DefaultHasher::new();
        feature.hash(&mut hasher);
        let hash = hasher.finish().to_le_bytes();
        self.0.push(u16::from_le_bytes([hash[0], hash[1]]));
    }

    /// The variant of an error or a state: what its `Debug` text begins with.
    pub fn add_variant(&mut self, label: &str, value: &impl std::fmt::Debug) {
        let text = format!("{value:?}");
        let end = text.find(['(', '{', ' ', '"']).unwrap_or(text.len());
        self.add((label, &text[..end]));
    }

    /// The names and types of fields.
    pub fn add_json(&mut self, label: &str, value: &Value) {
        self.add_fields(label, value, FEATURE_DEPTH);
    }

    /// A number by its magnitude.
    pub fn add_magnitude(&mut self, label: &str, number: u64) {
        self.add((label, number.checked_ilog2()));
    }

    fn add_fields(&mut self, label: &str, value: &Value, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.add((label, depth, name, type_index(field)));
                    self.add_fields(label, field, depth);
                }
            }
            Value::Array(items) => {
                self.add_magnitude(label, items.len() as u64);
                for item in items {
                    self.add_fields(label, item, depth);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

impl Default for FeatureSet {
    fn default() -> Self {
        Self { places: vec![false; PLACES], count: 0 }
    }
}

impl FeatureSet {
    /// Adds those of an execution; whether one of them is new.
    pub fn merge(&mut self, features: &Features) -> bool {
        let before = self.count;
        for place in &features.0 {
            let is_known = &mut self.places[usize::from(*place)];
            self.count += usize::from(!*is_known);
            *is_known = true;
        }
        self.count > before
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

const fn type_index(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
