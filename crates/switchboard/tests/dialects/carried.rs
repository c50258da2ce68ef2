//! Reasoning that goes to the caller and comes back with its next request: restored for its maker, and for nobody else.

use serde_json::{Value, json};

use crate::check::{Case, Checked};
use crate::folded;
use crate::format::Format;
use crate::types::Sample;
use crate::world::{Answer, World, model_name};

pub(crate) async fn check(
    world: &World,
    case: &Case,
    sent: &Value,
    answer: &Answer,
    direct: &Answer,
    checked: &mut Checked,
) {
    let Some(opaque) = opaque_of(case.provider, &whole(case.provider, &direct.body, case.stream)) else {
        // Of redacted thinking only one format knows.
        checked.expect(case.is_recorded(), || format!("no opaque value in {}", direct.body));
        return;
    };
    let next = continued(case.caller, sent, &whole(case.caller, &answer.body, case.stream));
    // The same model: the maker itself.
    let model = case.model();
    let asked_model = format!("{}:{model}", case.provider_name());
    let again = world.call(case.caller, &asked_model, &next, case.stream).await;
    checked.expect(again.status == 200, || format!("the next turn: {} {}", again.status, again.body));
    let received = world.received(case.is_recorded(), &model).await.pop().unwrap();
    checked.expect(received.to_string().contains(&opaque), || format!("{opaque} is not in {received}"));
    if case.caller != case.provider {
        let name = format!("{}, next turn", case.name());
        checked.samples.push(Sample::request(case.provider, &received, case.stream, name));
    }
    for other in Format::PROVIDERS.into_iter().filter(|other| *other != case.provider) {
        check_elsewhere(world, case, &next, other, &opaque, checked).await;
    }
}

/// Models of others, the caller's own format among them, get nothing of it.
async fn check_elsewhere(
    world: &World,
    case: &Case,
    next: &Value,
    other: Format,
    opaque: &str,
    checked: &mut Checked,
) {
    let model = model_name(other, case.matter.name, case.caller, &format!("{}back", case.provider));
    let asked_model = format!("{other}:{model}");
    let body = case.caller.address(next.clone(), &asked_model, case.stream);
    let answer = world.call(case.caller, &asked_model, &body, case.stream).await;
    let name = format!("the next turn at {other}");
    checked.expect(answer.status == 200, || format!("{name}: {} {}", answer.status, answer.body));
    let Some(received) = world.received(false, &model).await.pop() else { return };
    let text = received.to_string();
    let leaks = ["secret thought", opaque, "sb1:"].into_iter().any(|secret| text.contains(secret));
    checked.expect(!leaks, || format!("{name} has another's thought: {text}"));
    if other != case.caller {
        let name = format!("{}, {name}", case.name());
        checked.samples.push(Sample::request(other, &received, case.stream, name));
    }
}

fn whole(format: Format, body: &str, stream: bool) -> Value {
    if stream { folded::fold(format, body) } else { serde_json::from_str(body).unwrap() }
}

/// What the maker wants back.
fn opaque_of(provider: Format, answer: &Value) -> Option<String> {
    if provider == Format::Converse {
        let content = answer["output"]["message"]["content"].as_array().unwrap();
        let mut reasoning = content.iter().map(|block| &block["reasoningContent"]);
        return reasoning.find_map(|content| {
            let opaque =
                content["reasoningText"]["signature"].as_str().or(content["redactedContent"].as_str());
            opaque.map(str::to_owned)
        });
    }
    let (parts, fields): (&Value, &[&str]) = match provider {
        Format::Converse => return None,
        Format::Chat => {
            return answer["choices"][0]["message"]["reasoning_content"].as_str().map(str::to_owned);
        }
        Format::Responses => (&answer["output"], &["encrypted_content"]),
        Format::Messages => (&answer["content"], &["signature", "data"]),
        Format::Gemini => (&answer["candidates"][0]["content"]["parts"], &["thoughtSignature"]),
    };
    let parts = parts.as_array().unwrap().iter();
    let mut found = parts.flat_map(|part| fields.iter().filter_map(|field| part[*field].as_str()));
    found.next().map(str::to_owned)
}

/// The caller's next request: the answer as its SDK gives it back, and the tool's result or another question.
fn continued(caller: Format, sent: &Value, answer: &Value) -> Value {
    let mut next = sent.clone();
    let question = json!({"role": "user", "content": "And tomorrow?"});
    let push = |list: &mut Value, items: Vec<Value>| list.as_array_mut().unwrap().extend(items);
    match caller {
        Format::Converse => panic!("no caller has it"),
        Format::Chat => {
            let message = answer["choices"][0]["message"].clone();
            let result = match &message["tool_calls"][0]["id"] {
                Value::Null => question,
                id => json!({"role": "tool", "tool_call_id": id, "content": "21"}),
            };
            push(&mut next["messages"], vec![message, result]);
        }
        Format::Responses => {
            let mut items = vec![json!({"role": "user", "content": next["input"]})];
            items.extend(answer["output"].as_array().unwrap().clone());
            let result = match &items.last().unwrap()["call_id"] {
                Value::Null => question,
                id => json!({"type": "function_call_output", "call_id": id, "output": "21"}),
            };
            items.push(result);
            next["input"] = json!(items);
        }
        Format::Messages => {
            let result = match &answer["content"].as_array().unwrap().last().unwrap()["id"] {
                Value::Null => question,
                id => {
                    let result = json!({"type": "tool_result", "tool_use_id": id, "content": "21"});
                    json!({"role": "user", "content": [result]})
                }
            };
            let turn = json!({"role": "assistant", "content": answer["content"]});
            push(&mut next["messages"], vec![turn, result]);
        }
        Format::Gemini => {
            let content = answer["candidates"][0]["content"].clone();
            let mut calls =
                content["parts"].as_array().unwrap().iter().filter_map(|part| part.get("functionCall"));
            let part = calls.next().map_or(json!({"text": "And tomorrow?"}), |call| {
                let mut response = json!({"name": call["name"], "response": {"output": "21"}});
                if let Some(id) = call.get("id") {
                    response["id"] = id.clone();
                }
                json!({"functionResponse": response})
            });
            push(&mut next["contents"], vec![content, json!({"role": "user", "parts": [part]})]);
        }
    }
    next
}
