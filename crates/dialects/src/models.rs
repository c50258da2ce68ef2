//! `GET /v1/models`: one path, two shapes.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Dialect;

/// The list of models, in the dialect's shape. Dates are the epoch: a name in a gateway has none.
#[must_use]
pub fn list<'a>(dialect: Dialect, names: impl IntoIterator<Item = &'a str>) -> Bytes {
    let data: Vec<Value> = names.into_iter().map(|name| model(dialect, name)).collect();
    let list = match dialect {
        Dialect::OpenAiChat => json!({"object": "list", "data": data}),
        Dialect::Anthropic => {
            let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
            let (first, last) = (id(data.first()), id(data.last()));
            json!({"data": data, "has_more": false, "first_id": first, "last_id": last})
        }
    };
    list.to_string().into()
}

/// One model, in the dialect's shape, for `GET /v1/models/{name}`.
#[must_use]
pub fn one(dialect: Dialect, name: &str) -> Bytes {
    model(dialect, name).to_string().into()
}

fn model(dialect: Dialect, name: &str) -> Value {
    match dialect {
        Dialect::OpenAiChat => {
            json!({"id": name, "object": "model", "created": 0, "owned_by": "switchboard"})
        }
        Dialect::Anthropic => {
            json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{list, one};
    use crate::Dialect;

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
}
