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
    let received = world.received(case.is_recorded(), &model);
    checked.samples.push(Sample::answer(case.caller, &answer, case.stream, case.name()));
    if let Cell::Refused(field) = &case.cell {
        checked.expect(answer.status == 400, || format!("status {}, not 400", answer.status));
        checked.expect(answer.body.contains(field.as_str()), || format!("`{field}` is not named: {}", answer.body));
        checked.expect(received.is_empty(), || format!("the provider received {received:?}"));
        return checked;
    }
    check_headers(case, &answer, &mut checked);
    let Some(received) = received.last() else {
        checked.faults.push(format!("the provider received nothing; the caller got {} {}", answer.status, answer.body));
        return checked;
    };
    if case.caller != case.provider {
        checked.samples.push(Sample::request(case.provider, received, case.stream, case.name()));
    }
    check_asked(case, &sent, received, &mut checked);
    let direct = world.call_directly(case.provider, case.is_recorded(), &model, received, case.stream).await;
    check_outcome(case, &answer, &direct, &mut checked);
    if matter.outcome == Outcome::CarriedBack && !case.stream {
        carried::check(world, case, &sent, &answer, &direct, &mut checked).await;
    }
    checked
}

fn check_headers(case: &Case, answer: &Answer, checked: &mut Checked) {
    let translated = (case.caller != case.provider)
        .then(|| format!("{}>{}", case.caller.dialect().label(), case.provider.dialect().label()));
    // What the gateway says itself is nobody's answer.
    if answer.error_code.is_none() {
        checked.expect(answer.translated == translated, || {
            format!("x-switchboard-translated: {:?}, not {translated:?}", answer.translated)
        });
    }
    let mut dropped: Vec<String> = match &case.cell {
        Cell::Dropped(fields) => fields.clone(),
        _ => Vec::new(),
    };
    let mut told = answer.dropped.clone();
    dropped.sort();
    told.sort();
    checked.expect(told == dropped, || format!("x-switchboard-dropped: {told:?}, not {dropped:?}"));
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
    let may_miss = matches!(case.cell, Cell::Dropped(_));
    for key in &missing {
        let is_left_out = may_miss && got[*key] != sent[*key];
        checked.expect(is_left_out, || format!("{key}: asked {}, received {}", sent[*key], got[*key]));
    }
    let is_foreign = case.matter.name == "foreign-thinking" && case.caller != case.provider;
    checked.expect(!is_foreign || got["thoughts"].is_null(), || format!("a thought was sent on: {received}"));
}

/// Texts may come with other words around them and in other company, so each is looked for.
fn is_same(key: &str, sent: &Value, got: &Value) -> bool {
    if key != "texts" {
        return sent == got;
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
            for key in keys {
                checked.expect(got[*key] == said[*key], || format!("{key}: said {}, got {}", said[*key], got[*key]));
            }
        }
        Outcome::CarriedBack => {
            for key in ["reasoning", "calls", "text"] {
                checked.expect(got[key] == said[key], || format!("{key}: said {}, got {}", said[key], got[key]));
            }
        }
        Outcome::ProviderError => {
            for key in ["status", "message"] {
                let (said, got) = (&said["error"][key], &got["error"][key]);
                checked.expect(said == got, || format!("error's {key}: said {said}, got {got}"));
            }
        }
        Outcome::GatewayError(code) => {
            let told = answer.error_code.as_deref();
            checked.expect(told == Some(code), || format!("{told:?} {}, not {code}", answer.body));
            checked.expect(answer.status >= 400 && !got["error"].is_null(), || format!("no error: {}", answer.body));
        }
        Outcome::Interrupted if case.stream => {
            checked.expect(answer.status == 200, || format!("status {}", answer.status));
            checked.expect(got["text"] != json!(""), || format!("no beginning: {}", answer.body));
            checked.expect(!got["error"].is_null(), || format!("no error event: {}", answer.body));
            checked.expect(got["is_ended"] == false && got["finish"].is_null(), || format!("an end: {}", answer.body));
        }
        Outcome::Interrupted => {
            checked.expect(answer.status >= 500, || format!("status {}", answer.status));
        }
    }
}
