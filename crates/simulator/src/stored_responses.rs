//! The answers that a simulator stored.

use std::collections::VecDeque;

use serde_json::Value;

/// More are not needed, and a benchmark must not fill the memory.
const CAPACITY: usize = 1_000;

/// The latest stored answers of the Responses API.
#[derive(Debug, Default)]
pub(crate) struct StoredResponses(VecDeque<(String, Value)>);

impl StoredResponses {
    pub(crate) fn insert(&mut self, id: String, response: Value) {
        if self.0.len() == CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back((id, response));
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.0.iter().find(|(stored, _)| stored == id).map(|(_, response)| response)
    }

    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(stored, _)| stored != id);
        self.0.len() < before
    }

    /// Whether an item of a stored answer has this id.
    pub(crate) fn contains_item(&self, id: &str) -> bool {
        let mut items = self.0.iter().filter_map(|(_, response)| response["output"].as_array()).flatten();
        items.any(|item| item["id"] == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_latest_are_kept() {
        let mut stored = StoredResponses::default();
        for number in 0..=CAPACITY {
            stored.insert(number.to_string(), json!({"output": [{"id": format!("rs_{number}")}]}));
        }
        assert_eq!(stored.get("0"), None);
        assert!(stored.get("1").is_some() && stored.contains_item("rs_1"));
        assert!(stored.remove("1") && !stored.remove("1"));
        assert!(!stored.contains_item("rs_1"));
    }
}
