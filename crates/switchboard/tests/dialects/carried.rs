//! Reasoning that goes to the caller and comes back with its next request: restored for its maker, and for nobody else.

use serde_json::{Value, json};

use crate::check::{Case, Checked};
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
    let made: Value = serde_json::from_str(&direct.body).unwrap();
    let opaque = opaque_of(case.provider, &made);
    let answered: Value = serde_json::from_str(&answer.body).unwrap();
    let next = continued(case.caller, sent, &answered);
    // The same model: the maker itself.
    let model = case.model();
    let asked_model = format!("{}:{model}", case.provider_name());
    let again = world.call(case.caller, &asked_model, &next, false).await;
    checked.expect(again.status == 200, || format!("the next turn: {} {}", again.status, again.body));
    let received = world.received(false, &model).pop().unwrap();
    checked.expect(received.to_string().contains(opaque.as_str()), || format!("{opaque} is not in {received}"));
    if case.caller != case.provider {
        checked.samples.push(Sample::request(case.provider, &received, false, format!("{}, next turn", case.name())));
    }
    // Models of others.
    for other in Format::ALL {
        if other == case.provider || other == case.caller {
            continue;
        }
        let model = model_name(other, case.matter.name, case.caller, "back");
        let asked_model = format!("{other}:{model}");
        let body = case.caller.address(next.clone(), &asked_model, false);
        let elsewhere = world.call(case.caller, &asked_model, &body, false).await;
        let name = format!("the next turn at {other}");
        checked.expect(elsewhere.status == 200, || format!("{name}: {} {}", elsewhere.status, elsewhere.body));
        let Some(received) = world.received(false, &model).pop() else { continue };
        let text = received.to_string();
        let leaks = text.contains("secret thought") || text.contains(opaque.as_str()) || text.contains("sb1");
        checked.expect(!leaks, || format!("{name} has another's thought: {text}"));
        checked.samples.push(Sample::request(other, &received, false, format!("{}, {name}", case.name())));
    }
}

/// What the maker wants back.
fn opaque_of(provider: Format, answer: &Value) -> String {
    let found = match provider {
        Format::Chat => &answer["choices"][0]["message"]["reasoning_content"],
        Format::Responses => &answer["output"][0]["encrypted_content"],
        Format::Messages => &answer["content"][0]["signature"],
        Format::Gemini => {
            let parts = answer["candidates"][0]["content"]["parts"].as_array().unwrap();
            parts.iter().map(|part| &part["thoughtSignature"]).find(|value| value.is_string()).unwrap_or(&Value::Null)
        }
    };
    found.as_str().unwrap_or_else(|| panic!("no opaque value in {answer}")).to_owned()
}

/// The caller's next request: the answer as its SDK gives it back, and the tool's result.
fn continued(caller: Format, sent: &Value, answer: &Value) -> Value {
    let mut next = sent.clone();
    let push = |list: &mut Value, items: Vec<Value>| list.as_array_mut().unwrap().extend(items);
    match caller {
        Format::Chat => {
            let message = answer["choices"][0]["message"].clone();
            let id = message["tool_calls"][0]["id"].clone();
            push(&mut next["messages"], vec![message, json!({"role": "tool", "tool_call_id": id, "content": "21"})]);
        }
        Format::Responses => {
            let mut items = vec![json!({"role": "user", "content": next["input"]})];
            items.extend(answer["output"].as_array().unwrap().clone());
            let id = items.last().unwrap()["call_id"].clone();
            items.push(json!({"type": "function_call_output", "call_id": id, "output": "21"}));
            next["input"] = json!(items);
        }
        Format::Messages => {
            let id = answer["content"].as_array().unwrap().last().unwrap()["id"].clone();
            let result = json!([{"type": "tool_result", "tool_use_id": id, "content": "21"}]);
            let turns = vec![
                json!({"role": "assistant", "content": answer["content"]}),
                json!({"role": "user", "content": result}),
            ];
            push(&mut next["messages"], turns);
        }
        Format::Gemini => {
            let content = answer["candidates"][0]["content"].clone();
            let call = content["parts"].as_array().unwrap().last().unwrap()["functionCall"].clone();
            let mut response = json!({"name": call["name"], "response": {"output": "21"}});
            if let Some(id) = call.get("id") {
                response["id"] = id.clone();
            }
            push(&mut next["contents"], vec![content, json!({"role": "user", "parts": [{"functionResponse": response}]})]);
        }
    }
    next
}
