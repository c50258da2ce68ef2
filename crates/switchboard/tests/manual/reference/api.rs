//! `docs/reference/api.md`: the endpoints, from `openapi.json`.

use serde_json::{Map, Value};

use crate::{
    generated::{assert_page, cell},
    pages::read,
};

const METHODS: [&str; 3] = ["get", "post", "delete"];

/// The tags of the description, and the titles of their tables.
const PARTS: [(&str, &str); 3] =
    [("calls", "Calls to models"), ("circuits", "Circuits"), ("process", "The process")];

#[test]
fn the_page_has_every_endpoint() {
    let api: Value = serde_json::from_str(&read("crates/gateway/src/openapi.json")).unwrap();
    let mut page = String::new();
    let mut count = 0;
    for (tag, title) in PARTS {
        page += &format!(
            "## {title}\n\n| endpoint | what it does | key | responses |\n| --- | --- | --- | --- |\n"
        );
        for (path, item) in object(&api["paths"]) {
            for (method, operation) in
                object(item).iter().filter(|(name, _)| METHODS.contains(&name.as_str()))
            {
                if operation["tags"][0] == tag {
                    page += &format_operation(&api, path, method, operation);
                    count += 1;
                }
            }
        }
        page += "\n";
    }
    let all = object(&api["paths"]).values().flat_map(|item| object(item).keys());
    assert_eq!(
        count,
        all.filter(|name| METHODS.contains(&name.as_str())).count(),
        "an endpoint has another tag"
    );
    page += "## Headers of a request\n\n| header | values | meaning |\n| --- | --- | --- |\n";
    for parameter in object(&api["components"]["parameters"]).values().filter(|value| value["in"] == "header")
    {
        let values = parameter["schema"]["enum"].as_array().map_or("an HTTP status".to_owned(), |values| {
            values.iter().map(|value| format!("`{}`", text(value))).collect::<Vec<_>>().join(", ")
        });
        page += &format!(
            "| `{}` | {values} | {} |\n",
            text(&parameter["name"]),
            cell(text(&parameter["description"]))
        );
    }
    page += "\n## Headers of a response\n\n| header | meaning |\n| --- | --- |\n";
    for response in ["Answer", "CallError"] {
        for (name, header) in object(&api["components"]["responses"][response]["headers"]) {
            page += &format!("| `{name}` | {} |\n", cell(text(&header["description"])));
        }
    }
    assert_page("docs/reference/api.md", &page);
}

fn format_operation(api: &Value, path: &str, method: &str, operation: &Value) -> String {
    let summary = text(&operation["summary"]);
    let (summary, is_admin) = match summary.strip_suffix(" (admin key)") {
        Some(summary) => (summary, true),
        None => (summary, false),
    };
    let key = match operation.get("security") {
        Some(_) => "none",
        None if is_admin => "admin",
        None => "any",
    };
    let mut responses: Vec<_> = object(&operation["responses"]).iter().collect();
    responses.sort_by_key(|(status, _)| *status);
    let responses = responses.into_iter().map(|(status, response)| {
        let codes = codes(text(&resolve(api, response)["description"]));
        if codes.is_empty() {
            status.replace("default", "an error")
        } else {
            format!("{status} {}", codes.join(", "))
        }
    });
    let responses = responses.collect::<Vec<_>>().join("; ");
    format!("| `{} {path}` | {} | {key} | {} |\n", method.to_uppercase(), cell(summary), cell(&responses))
}

/// The codes that a description begins its parts with: `circuit_open: the circuit rejects the call; …`.
fn codes(description: &str) -> Vec<String> {
    let heads = description.split("; ").filter_map(|part| part.split_once(": "));
    let is_code = |head: &&str| {
        head.contains('_') && head.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
    };
    heads.map(|(head, _)| head).filter(is_code).map(|code| format!("`{code}`")).collect()
}

fn resolve<'a>(api: &'a Value, response: &'a Value) -> &'a Value {
    let Some(reference) = response.get("$ref") else { return response };
    api.pointer(text(reference).trim_start_matches('#')).unwrap()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
