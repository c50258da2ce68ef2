//! One cell, as one call: plain or streamed, by a caller of one format to a model of another.

use serde_json::{Value, json};

use crate::asked;
use crate::bodies;
use crate::carried;
use crate::format::Format;
use crate::matters::{Matter, Outcome, Provider};
use crate::page::Cell;
use crate::types::Sample;
use crate::world::{Answer, World, model_name};

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) line: usize,
    pub(crate) matter: &'static Matter,
    pub(crate) caller: Format,
    pub(crate) provider: Format,
    pub(crate) cell: Cell,
    pub(crate) stream: bool,
}

impl Case {
    pub(crate) fn name(&self) -> String {
        let mode = if self.stream { "stream" } else { "plain" };
        format!("line {}: {}, {} to {}, {mode}", self.line, self.matter.name, self.caller, self.provider)
    }

    fn mode(&self) -> &'static str {
        if self.stream { "stream" } else { "plain" }
    }

    pub(crate) const fn is_recorded(&self) -> bool {
        matches!(self.matter.provider, Provider::Recorded)
    }

    pub(crate) fn provider_name(&self) -> String {
        format!("{}{}", self.provider, if self.is_recorded() { "-recorded" } else { "" })
    }

    pub(crate) fn model(&self) -> String {
        model_name(self.provider, self.matter.name, self.caller, self.mode())
    }

    /// What the caller sends.
    pub(crate) fn request(&self, model: &str) -> Value {
        let body = bodies::request(self.caller, self.matter.name).expect("a row's request");
        self.caller.address(body, model, self.stream)
    }
}

/// What was wrong, and the bodies for the SDKs' types.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) faults: Vec<String>,
    pub(crate) samples: Vec<Sample>,
}

impl Checked {
    pub(crate) fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(what());
        }
    }
}

pub(crate) async fn check(world: &World, case: &Case) -> Checked {
    let mut checked = Checked::default();
    let (model, matter) = (case.model(), case.matter);
    let asked_model = format!("{}:{model}", case.provider_name());
    let sent = case.request(&asked_model);
    let answer = world.call(case.caller, &asked_model, &sent, case.stream).await;
    let received = world.received(case.is_recorded(), &model).await;
    checked.samples.push(Sample::answer(case.caller, &answer, case.stream, case.name()));
    if let Cell::Refused(field) = &case.cell {
        checked.expect(answer.status == 400, || format!("status {}, not 400", answer.status));
        let is_named =
            [format!("`{field}`"), format!("\"{field}\"")].iter().any(|name| answer.body.contains(name));
        checked.expect(is_named, || format!("`{field}` is not named: {}", answer.body));
        checked.expect(received.is_empty(), || format!("the provider received {received:?}"));
        return checked;
    }
    check_headers(case, &answer, &mut checked);
    if let Some(first) = received.first().filter(|_| case.caller == case.provider) {
        let as_sent = case.request(&model);
        checked.expect(*first == as_sent, || format!("sent {as_sent}, received {first}"));
    }
    let Some(received) = received.last() else {
        checked
            .faults
            .push(format!("the provider received nothing; the caller got {} {}", answer.status, answer.body));
        return checked;
    };
    if case.caller != case.provider {
        checked.samples.push(Sample::request(case.provider, received, case.stream, case.name()));
    }
    check_asked(case, &sent, received, &mut checked);
    let direct = world.call_directly(case.provider, case.is_recorded(), &model, received, case.stream).await;
    check_outcome(case, &answer, &direct, &mut checked);
    if matter.outcome == Outcome::CarriedBack {
        carried::check(world, case, &sent, &answer, &direct, &mut checked).await;
    }
    checked
}

fn check_headers(case: &Case, answer: &Answer, checked: &mut Checked) {
    let translated = (case.caller != case.provider)
        .then(|| format!("{}>{}", case.caller.dialect().label(), case.provider.dialect().label()));
    if answer.status == 200 {
        checked.expect(answer.translated == translated, || {
            format!("x-switchboard-translated: {:?}, not {translated:?}", answer.translated)
        });
    }
    let mut dropped: Vec<String> = match &case.cell {
        Cell::Dropped(fields) => fields.clone(),
        _ => Vec::new(),
    };
    let mut named = answer.dropped.clone();
    dropped.sort();
    named.sort();
    checked.expect(named == dropped, || format!("x-switchboard-dropped: {named:?}, not {dropped:?}"));
    let is_own = case.caller == case.provider;
    checked.expect(is_own == (case.cell == Cell::Kept), || "only a format of one's own is kept".to_owned());
}

fn check_asked(case: &Case, sent: &Value, received: &Value, checked: &mut Checked) {
    let (sent, got) = (asked::read(case.caller, sent), asked::read(case.provider, received));
    let mut missing = Vec::new();
    for key in case.matter.asked {
        checked.expect(!sent[*key].is_null(), || format!("the caller's request has no {key}"));
        if !is_same(key, &sent[*key], &got[*key]) {
            missing.push(*key);
        }
    }
    let may_miss = matches!(&case.cell, Cell::Dropped(fields) if !fields.is_empty());
    // Rows about thoughts do not look at how hard to think, which some models cannot be told.
    let is_of_thoughts =
        case.matter.name.ends_with("-thinking") || case.matter.outcome == Outcome::CarriedBack;
    checked.expect(is_of_thoughts || may_miss != missing.is_empty(), || {
        "something of the request is left out, or nothing".to_owned()
    });
    for key in &missing {
        let is_left_out = may_miss && got[*key] != sent[*key];
        checked.expect(is_left_out, || format!("{key}: asked {}, received {}", sent[*key], got[*key]));
    }
    let is_foreign = case.matter.name == "foreign-thinking" && case.caller != case.provider;
    checked.expect(!is_foreign || got["thoughts"].is_null(), || format!("a thought was sent on: {received}"));
}

/// Texts may come with other words around them and in other company, so each is looked for.
fn is_same(key: &str, sent: &Value, got: &Value) -> bool {
    match key {
        // Who names a key wants the prompt cached; Messages has no key for it.
        "cache_key" if *got == json!("automatic") => return true,
        "texts" => {}
        _ => return sent == got,
    }
    let (sent, got) = (sent.as_array().unwrap(), got.to_string());
    let quoted = sent.iter().map(ToString::to_string);
    quoted.into_iter().all(|text| got.contains(text.trim_matches('"')))
}

fn check_outcome(case: &Case, answer: &Answer, direct: &Answer, checked: &mut Checked) {
    let got = answer.said(case.caller, case.stream);
    let said = direct.said(case.provider, case.stream);
    match case.matter.outcome {
        Outcome::Answer(keys) => {
            checked.expect(answer.status == 200, || format!("status {}: {}", answer.status, answer.body));
            checked.expect(got["is_ended"] == true, || format!("no end marker: {}", answer.body));
            // No header can name what an answer loses: such a cell has no fields.
            let may_lose = matches!(&case.cell, Cell::Dropped(fields) if fields.is_empty());
            let lost: Vec<_> = keys.iter().filter(|key| got[**key] != said[**key]).collect();
            for key in lost.iter().filter(|key| !may_lose || got[***key] != json!([])) {
                checked.faults.push(format!("{key}: said {}, got {}", said[**key], got[**key]));
            }
            checked.expect(may_lose != lost.is_empty(), || {
                "something of the answer is lost, or nothing".to_owned()
            });
        }
        Outcome::FaultOfTheModel if said["finish"] == "stop" || case.caller == case.provider => {
            checked.expect(got == said, || format!("said {said}, got {got}"));
        }
        // The model had said something by then.
        Outcome::FaultOfTheModel if case.stream && answer.status == 200 => {
            check_error_event(&got, answer, checked);
        }
        Outcome::FaultOfTheModel => {
            let code_seen = answer.error_code.as_deref();
            checked
                .expect(code_seen == Some("attempts_exhausted"), || format!("{code_seen:?} {}", answer.body));
        }
        Outcome::CarriedBack => {
            for key in ["reasoning", "calls", "text"] {
                checked
                    .expect(got[key] == said[key], || format!("{key}: said {}, got {}", said[key], got[key]));
            }
        }
        Outcome::ProviderError => {
            let (said, got) = (&said["error"], &got["error"]);
            checked.expect(said["status"] == got["status"], || format!("error: said {said}, got {got}"));
            // Other words may stand before the provider's, for agents that act on them.
            let words = said["message"].as_str().unwrap_or("no message");
            let has_words = got["message"].as_str().is_some_and(|got| got.ends_with(words));
            checked.expect(has_words, || format!("error: said {said}, got {got}"));
            check_kind(case, got, checked);
        }
        Outcome::GatewayError(code) => {
            let code_seen = answer.error_code.as_deref();
            checked.expect(code_seen == Some(code), || format!("{code_seen:?} {}, not {code}", answer.body));
            checked.expect(answer.status >= 400 && !got["error"].is_null(), || {
                format!("no error: {}", answer.body)
            });
            check_kind(case, &got["error"], checked);
        }
        Outcome::Interrupted if case.stream => {
            checked.expect(answer.status == 200, || format!("status {}", answer.status));
            checked.expect(got["text"] != json!(""), || format!("no beginning: {}", answer.body));
            check_error_event(&got, answer, checked);
        }
        Outcome::Interrupted => {
            checked.expect(answer.status >= 500, || format!("status {}", answer.status));
        }
    }
}

fn check_error_event(got: &Value, answer: &Answer, checked: &mut Checked) {
    checked.expect(!got["error"].is_null(), || format!("no error event: {}", answer.body));
    let is_open = got["is_ended"] == false && got["finish"].is_null();
    checked.expect(is_open, || format!("an end: {}", answer.body));
}

/// The type or code that the caller's SDK and agents act on.
fn check_kind(case: &Case, error: &Value, checked: &mut Checked) {
    let kinds = match case.matter.name {
        "error-400" | "content-policy" => {
            ["invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"]
        }
        // Gemini says it with a 400.
        "error-401" if case.provider == Format::Gemini => {
            ["provider_auth", "invalid_request_error", "INVALID_ARGUMENT"]
        }
        // Bedrock says it with a 403.
        "error-401" if case.provider == Format::Converse => {
            ["permission_error", "permission_error", "PERMISSION_DENIED"]
        }
        "error-401" => ["authentication_error", "authentication_error", "UNAUTHENTICATED"],
        "error-404" => ["invalid_request_error", "not_found_error", "NOT_FOUND"],
        "error-429" => ["rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"],
        "error-503" => ["server_error", "api_error", "UNAVAILABLE"],
        "context-too-long" => ["context_length_exceeded", "invalid_request_error", "INVALID_ARGUMENT"],
        _ => return,
    };
    let kind = match case.caller {
        Format::Chat | Format::Responses => kinds[0],
        Format::Messages => kinds[1],
        Format::Gemini => kinds[2],
        Format::Converse => panic!("no caller has it"),
    };
    let has_kind = error["type"] == kind || error["code"] == kind;
    checked.expect(has_kind, || format!("error: {error} is no {kind}"));
}
