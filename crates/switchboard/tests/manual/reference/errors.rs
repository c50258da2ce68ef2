//! `docs/reference/errors.md`: the codes of the gateway's own errors. The list is compared with the source.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use http::StatusCode;

use crate::{
    generated::assert_page,
    pages::{read, root},
};

/// An error: its code, its status, who has to act, what happened and what to do.
struct Code {
    code: &'static str,
    status: &'static str,
    owner: &'static str,
    meaning: &'static str,
    action: &'static str,
}

const fn code(
    code: &'static str,
    status: &'static str,
    owner: &'static str,
    meaning: &'static str,
    action: &'static str,
) -> Code {
    Code { code, status, owner, meaning, action }
}

/// Errors of calls to models, in the API format of the path.
const CALLS: [Code; 14] = [
    code(
        "circuit_open",
        "503",
        "nobody, or an operator",
        "The circuits of all models that could respond are open.",
        "Retry after `retry-after`. Without that header the circuit was opened manually.",
    ),
    code(
        "attempts_exhausted",
        "the provider's, or 502",
        "provider",
        "All models that could be called failed. The message names each with its reason.",
        "Retry after `retry-after`. Give the route another model.",
    ),
    code(
        "deadline_exceeded",
        "504",
        "provider",
        "No model responded within `timeouts.total`, or within the client's own timeout.",
        "Retry. Raise the timeout, or choose a faster model.",
    ),
    code(
        "stream_interrupted",
        "event in a stream",
        "provider",
        "A stream ended early after its first token. What came before is incomplete.",
        "Send the request again. `stream = \"buffer\"` avoids it.",
    ),
    code(
        "provider_auth",
        "the provider's: 400, 401, 403",
        "operator",
        "The provider rejected the gateway's API key.",
        "`switchboard doctor`; replace the key.",
    ),
    code(
        "overloaded",
        "503",
        "operator",
        "The gateway lacks memory, file descriptors, ports, threads or connections.",
        "Retry after one second. The [limits](../calls.md#limits).",
    ),
    code(
        "shutting_down",
        "503",
        "nobody",
        "This instance is shutting down.",
        "Retry: another instance responds. The SDKs do so by themselves.",
    ),
    code(
        "unknown_model",
        "404",
        "caller",
        "No route and no model of a configured provider has this name.",
        "`GET /v1/models` lists what there is.",
    ),
    code(
        "model_not_allowed",
        "403",
        "caller",
        "The caller's key does not cover this route or model.",
        "Use another name, or extend `models` of the key.",
    ),
    code(
        "unsupported_api",
        "400; 404 for a count of tokens",
        "caller",
        "No model of the route has this endpoint or a counterpart of it.",
        "The message has the reason for each model.",
    ),
    code(
        "cannot_translate",
        "400",
        "caller",
        "No model of the route can be given this request.",
        "The message names the field. Leave it out, or add a model that takes it.",
    ),
    code(
        "invalid_request",
        "400",
        "caller",
        "The request is malformed, or invalid in its API format.",
        "Fix what the message names.",
    ),
    code(
        "previous_response_not_found",
        "400",
        "caller",
        "The request refers to a stored response, and no provider of the route has stored it.",
        "Send the whole conversation.",
    ),
    code(
        "response_not_found",
        "404",
        "caller",
        "`GET`, `DELETE` or `cancel` of a response that no provider here has stored.",
        "Ask the account that stored it.",
    ),
];

/// Errors of all endpoints, before a model or a circuit is looked at.
const REQUESTS: [Code; 8] = [
    code(
        "invalid_api_key",
        "401",
        "caller",
        "The key is missing, wrong or revoked.",
        "Send one of the gateway's keys.",
    ),
    code("admin_key_required", "403", "caller", "This needs an admin key.", "Use a key of `admin_keys`."),
    code(
        "host_not_allowed",
        "403",
        "caller",
        "The gateway has no keys, and `Host` or `Origin` is not a loopback name.",
        "Use `127.0.0.1` or `localhost`, or configure keys.",
    ),
    code("not_found", "404", "caller", "No such path.", "The message lists what there is."),
    code("method_not_allowed", "405", "caller", "The path has another method.", "Use the method in `allow`."),
    code(
        "request_timeout",
        "408",
        "caller",
        "The body did not arrive in time.",
        "Send it again. The SDKs do so by themselves.",
    ),
    code("request_too_large", "413", "caller", "The body is larger than 32 MiB.", "Send less."),
    code(
        "unsupported_encoding",
        "415",
        "caller",
        "The body's `content-encoding` is unknown, or there are several.",
        "Use one of gzip, deflate, br, zstd.",
    ),
];

/// Errors of the circuits' API.
const CIRCUITS: [Code; 7] = [
    code("circuit_not_found", "404", "caller", "The model has no circuit yet.", "`GET /circuits` lists all."),
    code(
        "permit_not_found",
        "404",
        "caller",
        "The permit was used, has expired, or is another instance's.",
        "Report each outcome once, to the same instance.",
    ),
    code(
        "lease_lost",
        "409",
        "caller",
        "The probe's lease ended, and another call took its place.",
        "Stop, or finish the call; its outcome is not counted.",
    ),
    code(
        "too_many_permits",
        "503",
        "caller",
        "The instance has issued too many permits, or this key holds half of them.",
        "Report the outcomes of permits that you hold.",
    ),
    code(
        "store_unavailable",
        "503",
        "operator",
        "Redis is unreachable, so there is no history.",
        "`switchboard doctor`.",
    ),
    code(
        "not_shared",
        "503",
        "operator",
        "Applied on this instance only, because Redis is unreachable. Other instances follow when it is back.",
        "Nothing, or `switchboard doctor`.",
    ),
    code(
        "outcome_unknown",
        "504",
        "operator",
        "Redis did not confirm the change in time. It may have been applied.",
        "Look at the circuit before you try again.",
    ),
];

fn all() -> impl Iterator<Item = &'static Code> {
    CALLS.iter().chain(&REQUESTS).chain(&CIRCUITS)
}

#[test]
fn the_page_has_every_code() {
    let mut page = String::new();
    let parts: [(&str, &[Code]); 3] =
        [("Calls to models", &CALLS), ("Every endpoint", &REQUESTS), ("The circuits' API", &CIRCUITS)];
    for (title, codes) in parts {
        page += &format!(
            "## {title}\n\n| code | status | owner | meaning | what to do |\n| --- | --- | --- | --- | --- |\n"
        );
        for Code { code, status, owner, meaning, action } in codes {
            page += &format!("| `{code}` | {status} | {owner} | {meaning} | {action} |\n");
        }
        page += "\n";
    }
    assert_page("docs/reference/errors.md", &page);
}

/// Whoever adds an error explains it.
#[test]
fn the_codes_are_those_of_the_source() {
    let source = codes_of_the_source();
    let explained: BTreeSet<&str> = all().map(|code| code.code).collect();
    assert_eq!(explained, source.keys().map(String::as_str).collect(), "add it to a table in this file");
    for code in all() {
        for status in &source[code.code] {
            assert!(code.status.contains(&status.as_u16().to_string()), "{}: {status}", code.code);
        }
    }
}

/// Codes, and the statuses that stand beside them.
fn codes_of_the_source() -> BTreeMap<String, BTreeSet<StatusCode>> {
    let mut found = BTreeMap::<String, BTreeSet<StatusCode>>::new();
    for file in sources(&root().join("crates/gateway/src")) {
        let text = fs::read_to_string(file).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let code = text.split("#[cfg(test)]").next().unwrap();
        for part in code.split("StatusCode::").skip(1) {
            let Some((name, after)) = part.split_once(", \"") else { continue };
            let Some(status) = status_of(name) else { continue };
            let code = after.split('"').next().unwrap();
            // Others are bodies of health checks.
            if code.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()) {
                found.entry(code.to_owned()).or_default().insert(status);
            }
        }
        found.extend(named_code(code, "SHUTTING_DOWN_CODE"));
    }
    // Those of calls are in one function, `CallError::code`, or have a name.
    let text = read("crates/manager/src/error.rs");
    let body = text.split("const fn code(").nth(1).unwrap().split("\n    }\n").next().unwrap();
    for arm in body.split("=> \"").skip(1) {
        found.entry(arm.split('"').next().unwrap().to_owned()).or_default();
    }
    for name in ["OVERLOADED", "STREAM_INTERRUPTED"] {
        found.extend(
            named_code(&read("crates/manager/src/outcome.rs"), name).filter(|(code, _)| code != "overloaded"),
        );
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

/// The code that a constant has.
fn named_code(text: &str, name: &str) -> Option<(String, BTreeSet<StatusCode>)> {
    let (_, value) = text.split_once(&format!("const {name}: &str = \""))?;
    Some((value.split('"').next().unwrap().to_owned(), BTreeSet::new()))
}

/// `PAYLOAD_TOO_LARGE` is 413.
fn status_of(name: &str) -> Option<StatusCode> {
    let statuses = (100..600).filter_map(|status| StatusCode::from_u16(status).ok());
    let is_it = |status: &StatusCode| {
        let reason = status.canonical_reason().unwrap_or_default();
        reason.to_uppercase().replace([' ', '-'], "_") == name
    };
    statuses.into_iter().find(is_it)
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
