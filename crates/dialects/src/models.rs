//! `GET /v1/models`: one path, a shape for each format.

use bytes::Bytes;
use serde_json::Value;

use crate::dialect::Dialect;

/// The list of models. Dates are the epoch: a name in a gateway has none.
#[must_use]
pub fn list<'a>(dialect: Dialect, names: impl IntoIterator<Item = &'a str>) -> Bytes {
    let format = dialect.format();
    let models: Vec<Value> = names.into_iter().map(|name| format.model(name)).collect();
    format.model_list(&models).to_string().into()
}

/// One model, for `GET /v1/models/{name}`.
#[must_use]
pub fn one(dialect: Dialect, name: &str) -> Bytes {
    dialect.format().model(name).to_string().into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{list, one};
    use crate::dialect::Dialect;

    #[test]
    fn openais_shape() {
        let list: Value =
            serde_json::from_slice(&list(Dialect::OpenAiChat, ["planner", "openai:gpt-5"])).unwrap();
        assert_eq!(list["object"], "list");
        assert_eq!(
            list["data"][1],
            json!({"id": "openai:gpt-5", "object": "model", "created": 0, "owned_by": "switchboard"})
        );
    }

    #[test]
    fn anthropics_shape() {
        let list: Value = serde_json::from_slice(&list(Dialect::Anthropic, ["planner", "router"])).unwrap();
        assert_eq!((&list["first_id"], &list["last_id"]), (&json!("planner"), &json!("router")));
        let one: Value = serde_json::from_slice(&one(Dialect::Anthropic, "router")).unwrap();
        assert_eq!((&list["data"][1], &one["type"]), (&one, &json!("model")));
    }

    #[test]
    fn no_models_is_a_list_too() {
        let list: Value = serde_json::from_slice(&list(Dialect::Anthropic, [])).unwrap();
        assert_eq!(list, json!({"data": [], "has_more": false, "first_id": null, "last_id": null}));
    }

    #[test]
    fn googles_shape() {
        let list: Value = serde_json::from_slice(&list(Dialect::Gemini, ["planner"])).unwrap();
        let one: Value = serde_json::from_slice(&one(Dialect::Gemini, "planner")).unwrap();
        assert_eq!(list, json!({ "models": [one] }));
        let expected = json!({"name": "models/planner", "displayName": "planner",
            "supportedGenerationMethods": ["generateContent", "countTokens"]});
        assert_eq!(one, expected);
    }

    #[test]
    fn openais_two_formats_have_one_list() {
        assert_eq!(list(Dialect::OpenAiResponses, ["a"]), list(Dialect::OpenAiChat, ["a"]));
    }
}
