//! What a request asks for, read without the gateway's own readers: the same for all formats, so that what a provider
//! received can be compared with what the caller sent.

use serde_json::{Map, Value, json};

use crate::format::Format;
use crate::turns::Turns;

/// The request's matters, each under its own name; what is not said is `null`.
pub(crate) fn read(format: Format, body: &Value) -> Value {
    let mut asked = match format {
        Format::Chat => chat(body),
        Format::Responses => responses(body),
        Format::Messages => messages(body),
        Format::Gemini => gemini(body),
        Format::Converse => converse(body),
    };
    let parts: Vec<Value> =
        list(&asked["turns"]).iter().flat_map(|turn| list(&turn["parts"]).to_vec()).collect();
    let mut texts: Vec<Value> = list(&asked["system"]).to_vec();
    let mut media = Vec::new();
    let mut results = Vec::new();
    for part in &parts {
        let inner = list(&part["result"]["parts"]);
        for part in std::iter::once(part).chain(inner) {
            texts.extend(part.get("text").cloned());
            media.extend(part.get("media").cloned());
        }
        if let Some(result) = part.get("result") {
            let said: String = inner.iter().filter_map(|part| part["text"].as_str()).collect();
            let is_error = result["error"] == true || said.starts_with("Error");
            let said = said.trim_start_matches("Error: ").to_owned();
            results.push(json!({"of": result["of"], "text": said, "error": is_error}));
        }
    }
    let calls: Vec<&Value> = parts.iter().filter_map(|part| part.get("call")).collect();
    asked["calls"] = json!(calls);
    asked["texts"] = json!(texts);
    asked["media"] = json!(media);
    asked["results"] = json!(results);
    asked["thoughts"] = json!(body.to_string().contains("secret thought"));
    for (_, value) in asked.as_object_mut().unwrap() {
        if value.as_array().is_some_and(Vec::is_empty) || *value == json!(false) {
            *value = Value::Null;
        }
    }
    asked
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(text: &Value) -> Value {
    json!({"text": text})
}

/// A data URL's data, or the URL.
fn media(url: &Value) -> Value {
    let url = url.as_str().unwrap_or_default();
    json!({"media": url.split_once(";base64,").map_or(url, |(_, data)| data)})
}

fn parsed(arguments: &Value) -> Value {
    serde_json::from_str(arguments.as_str().unwrap_or_default()).unwrap_or_default()
}

fn tool(name: &Value, description: &Value, schema: &Value) -> Value {
    json!({"name": name, "description": description, "schema": schema})
}

fn call(id: &Value, name: &Value, input: &Value) -> Value {
    json!({"call": {"id": id, "name": name, "input": input}})
}

fn result(of: &Value, error: bool, parts: &[Value]) -> Value {
    json!({"result": {"of": of, "error": error, "parts": parts}})
}

fn hosted<'a>(names: impl Iterator<Item = &'a Value>) -> Value {
    names.cloned().collect()
}

/// The content of OpenAI's messages, whichever of the two formats it is.
fn openai_parts(content: &Value) -> Vec<Value> {
    if content.is_string() {
        return vec![text(content)];
    }
    let parts = list(content).iter().filter_map(|part| match part["type"].as_str()? {
        "text" | "input_text" | "output_text" => Some(text(&part["text"])),
        "refusal" => Some(text(&part["refusal"])),
        "image_url" => Some(media(&part["image_url"]["url"])),
        "input_image" => Some(media(&part["image_url"])),
        "file" => Some(media(&part["file"]["file_data"])),
        "input_file" => {
            Some(media(if part["file_data"].is_null() { &part["file_url"] } else { &part["file_data"] }))
        }
        _ => None,
    });
    parts.collect()
}

fn openai_choice(choice: &Value) -> Value {
    match choice {
        Value::String(_) => choice.clone(),
        Value::Object(object) => {
            let name = choice.pointer("/function/name").or_else(|| object.get("name"));
            name.cloned().unwrap_or_default()
        }
        _ => Value::Null,
    }
}

fn first<'a>(body: &'a Value, names: &[&str]) -> &'a Value {
    names.iter().map(|name| &body[*name]).find(|value| !value.is_null()).unwrap_or(&Value::Null)
}

fn chat(body: &Value) -> Value {
    let mut turns = Turns::default();
    let mut system = Vec::new();
    for message in list(&body["messages"]) {
        let parts = openai_parts(&message["content"]);
        match message["role"].as_str().unwrap_or_default() {
            "system" | "developer" if turns.is_empty() => {
                system.extend(parts.into_iter().map(|part| part["text"].clone()));
            }
            "system" | "developer" => turns.push("system", parts),
            "tool" => {
                let of = turns.call_name(&message["tool_call_id"]);
                turns.push("user", vec![result(&of, false, &parts)]);
            }
            role => {
                turns.push(role, parts);
                let calls = list(&message["tool_calls"]).iter().map(|made| {
                    call(&made["id"], &made["function"]["name"], &parsed(&made["function"]["arguments"]))
                });
                turns.push(role, calls.collect());
            }
        }
    }
    let all_tools = list(&body["tools"]);
    let functions = all_tools.iter().filter(|tool| tool["type"] == "function").map(|tool_| {
        let function = &tool_["function"];
        tool(&function["name"], &function["description"], &function["parameters"])
    });
    json!({
        "system": system,
        "turns": turns.finish(),
        "tools": functions.collect::<Vec<_>>(),
        "hosted": hosted(body.get("web_search_options").into_iter().map(|_| &Value::Bool(true))),
        "choice": openai_choice(&body["tool_choice"]),
        "single_call": body["parallel_tool_calls"] == false,
        "max_tokens": first(body, &["max_completion_tokens", "max_tokens"]),
        "temperature": body["temperature"],
        "top_k": body["top_k"],
        "seed": body["seed"],
        "penalties": penalties(&body["frequency_penalty"], &body["presence_penalty"]),
        "answers": body["n"],
        "logprobs": body["top_logprobs"],
        "stop": body["stop"],
        "schema": body["response_format"]["json_schema"]["schema"],
        "json": body["response_format"]["type"] == "json_object",
        "effort": body["reasoning_effort"],
        "cache_marks": body.to_string().contains("prompt_cache_breakpoint"),
        "cache_key": body["prompt_cache_key"],
        "user": first(body, &["safety_identifier", "user"]),
        "metadata": body["metadata"],
        "service_tier": body["service_tier"],
        "verbosity": body["verbosity"],
    })
}

fn penalties(frequency: &Value, presence: &Value) -> Value {
    if frequency.is_null() && presence.is_null() { Value::Null } else { json!([frequency, presence]) }
}

fn responses(body: &Value) -> Value {
    let mut turns = Turns::default();
    let mut system: Vec<Value> = body.get("instructions").into_iter().cloned().collect();
    if body["input"].is_string() {
        turns.push("user", vec![text(&body["input"])]);
    }
    for item in list(&body["input"]) {
        match item["type"].as_str().unwrap_or("message") {
            "message" => {
                let parts = openai_parts(&item["content"]);
                match item["role"].as_str().unwrap_or_default() {
                    "system" | "developer" if turns.is_empty() => {
                        system.extend(parts.into_iter().map(|part| part["text"].clone()));
                    }
                    "system" | "developer" => turns.push("system", parts),
                    role => turns.push(role, parts),
                }
            }
            "function_call" => {
                turns.push(
                    "assistant",
                    vec![call(&item["call_id"], &item["name"], &parsed(&item["arguments"]))],
                );
            }
            "function_call_output" => {
                let of = turns.call_name(&item["call_id"]);
                turns.push("user", vec![result(&of, false, &openai_parts(&item["output"]))]);
            }
            _ => {}
        }
    }
    let all_tools = list(&body["tools"]);
    let functions = all_tools.iter().filter(|tool| tool["type"] == "function");
    let functions =
        functions.map(|function| tool(&function["name"], &function["description"], &function["parameters"]));
    let others = all_tools.iter().filter(|tool| tool["type"] != "function").map(|tool| &tool["type"]);
    let format = &body["text"]["format"];
    json!({
        "system": system,
        "turns": turns.finish(),
        "tools": functions.collect::<Vec<_>>(),
        "hosted": hosted(others),
        "choice": openai_choice(&body["tool_choice"]),
        "single_call": body["parallel_tool_calls"] == false,
        "max_tokens": body["max_output_tokens"],
        "temperature": body["temperature"],
        "logprobs": body["top_logprobs"],
        "schema": format["schema"],
        "json": format["type"] == "json_object",
        "effort": body["reasoning"]["effort"],
        "cache_marks": body.to_string().contains("prompt_cache_breakpoint"),
        "cache_key": body["prompt_cache_key"],
        "user": first(body, &["safety_identifier", "user"]),
        "metadata": body["metadata"],
        "service_tier": body["service_tier"],
        "verbosity": body["text"]["verbosity"],
        "stored": body["previous_response_id"],
    })
}

fn message_parts(content: &Value, turns: &Turns) -> Vec<Value> {
    if content.is_string() {
        return vec![text(content)];
    }
    let source = |block: &Value| {
        let source = &block["source"];
        json!({"media": if source["data"].is_null() { &source["url"] } else { &source["data"] }})
    };
    let parts = list(content).iter().filter_map(|block| match block["type"].as_str()? {
        "text" => Some(text(&block["text"])),
        "image" | "document" => Some(source(block)),
        "tool_use" => Some(call(&block["id"], &block["name"], &block["input"])),
        "tool_result" => {
            let of = turns.call_name(&block["tool_use_id"]);
            Some(result(&of, block["is_error"] == true, &message_parts(&block["content"], turns)))
        }
        _ => None,
    });
    parts.collect()
}

fn messages(body: &Value) -> Value {
    let mut turns = Turns::default();
    for message in list(&body["messages"]) {
        let parts = message_parts(&message["content"], &turns);
        turns.push(message["role"].as_str().unwrap_or_default(), parts);
    }
    let system = message_parts(&body["system"], &turns);
    let (functions, others): (Vec<&Value>, Vec<&Value>) =
        list(&body["tools"]).iter().partition(|tool| tool["input_schema"].is_object());
    let choice = &body["tool_choice"];
    let thinking = &body["thinking"];
    let effort =
        if thinking["type"] == "disabled" { &json!("none") } else { &body["output_config"]["effort"] };
    json!({
        "system": system.iter().map(|part| part["text"].clone()).collect::<Vec<_>>(),
        "turns": turns.finish(),
        "tools": functions.iter().map(|function| {
            tool(&function["name"], &function["description"], &function["input_schema"])
        }).collect::<Vec<_>>(),
        "hosted": hosted(others.iter().map(|tool| &tool["type"])),
        "choice": match choice["type"].as_str() {
            Some("any") => json!("required"),
            Some("tool") => choice["name"].clone(),
            _ => choice["type"].clone(),
        },
        "single_call": choice["disable_parallel_tool_use"] == true,
        "max_tokens": body["max_tokens"],
        "temperature": body["temperature"],
        "top_k": body["top_k"],
        "stop": body["stop_sequences"],
        "schema": body["output_config"]["format"]["schema"],
        "effort": effort,
        "cache_marks": body.to_string().contains("cache_control"),
        "cache_key": if body["cache_control"].is_null() { Value::Null } else { json!("automatic") },
        "user": body["metadata"]["user_id"],
        "service_tier": body["service_tier"],
    })
}

fn gemini_parts(parts: &Value) -> Vec<Value> {
    let said = list(parts).iter().filter(|part| part["thought"] != true).filter_map(|part| {
        let (kind, value) = part.as_object()?.iter().find(|(key, _)| *key != "thoughtSignature")?;
        match kind.as_str() {
            "text" => Some(text(value)),
            "inlineData" => Some(json!({"media": value["data"]})),
            "fileData" => Some(json!({"media": value["fileUri"]})),
            "functionCall" => Some(call(&value["id"], &value["name"], &value["args"])),
            "functionResponse" => Some(gemini_result(value)),
            _ => None,
        }
    });
    said.collect()
}

fn gemini_result(response: &Value) -> Value {
    let said = &response["response"];
    let error = said.get("error");
    let output = error.or_else(|| said.get("output")).or_else(|| said.get("result")).unwrap_or(said);
    let output = if output.is_string() { output.clone() } else { json!(output.to_string()) };
    let mut parts = vec![text(&output)];
    parts.extend(gemini_parts(&response["parts"]));
    result(&response["name"], error.is_some(), &parts)
}

fn gemini(body: &Value) -> Value {
    let mut turns = Turns::default();
    for content in list(&body["contents"]) {
        let role = if content["role"] == "model" { "assistant" } else { "user" };
        turns.push(role, gemini_parts(&content["parts"]));
    }
    let config = &body["generationConfig"];
    let functions = list(&body["tools"]).iter().flat_map(|tool| list(&tool["functionDeclarations"]));
    let functions = functions.map(|function| {
        let schema = first(function, &["parametersJsonSchema", "parameters"]);
        tool(&function["name"], &function["description"], schema)
    });
    let others = list(&body["tools"]).iter().filter(|tool| tool["functionDeclarations"].is_null());
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let choice = match calling["mode"].as_str() {
        Some("ANY") => calling.pointer("/allowedFunctionNames/0").cloned().unwrap_or(json!("required")),
        Some(mode) => json!(mode.to_lowercase()),
        None => Value::Null,
    };
    let is_json = config["responseMimeType"] == "application/json";
    let thinking = &config["thinkingConfig"];
    let effort = match (&thinking["thinkingLevel"], &thinking["thinkingBudget"]) {
        (Value::String(level), _) => json!(level.to_lowercase()),
        (_, Value::Number(tokens)) if tokens.as_u64() == Some(0) => json!("none"),
        _ => Value::Null,
    };
    let said: Map<String, Value> = Map::new();
    let mut asked = Value::Object(said);
    for (name, value) in [
        (
            "system",
            gemini_parts(&body["systemInstruction"]["parts"])
                .iter()
                .map(|part| part["text"].clone())
                .collect(),
        ),
        ("turns", turns.finish()),
        ("tools", functions.collect()),
        ("hosted", hosted(others)),
        ("choice", choice),
        ("max_tokens", config["maxOutputTokens"].clone()),
        ("temperature", config["temperature"].clone()),
        ("top_k", config["topK"].clone()),
        ("seed", config["seed"].clone()),
        ("penalties", penalties(&config["frequencyPenalty"], &config["presencePenalty"])),
        ("answers", config["candidateCount"].clone()),
        ("logprobs", config["logprobs"].clone()),
        ("stop", config["stopSequences"].clone()),
        ("schema", first(config, &["responseJsonSchema", "responseSchema"]).clone()),
        ("json", json!(is_json && config["responseJsonSchema"].is_null())),
        ("effort", effort),
        ("service_tier", body["serviceTier"].clone()),
        ("metadata", body["labels"].clone()),
    ] {
        asked[name] = value;
    }
    asked
}

fn converse_parts(content: &Value, turns: &Turns) -> Vec<Value> {
    let parts = list(content).iter().filter_map(|block| {
        let (kind, value) = block.as_object()?.iter().next()?;
        match kind.as_str() {
            "text" => Some(text(value)),
            "image" | "document" => Some(json!({"media": value["source"]["bytes"]})),
            "toolUse" => Some(call(&value["toolUseId"], &value["name"], &value["input"])),
            "toolResult" => {
                let of = turns.call_name(&value["toolUseId"]);
                Some(result(&of, value["status"] == "error", &converse_parts(&value["content"], turns)))
            }
            "json" => {
                Some(text(&json!(first(value, &["output", "result", "error"]).as_str().unwrap_or_default())))
            }
            _ => None,
        }
    });
    parts.collect()
}

fn converse(body: &Value) -> Value {
    let mut turns = Turns::default();
    for message in list(&body["messages"]) {
        let parts = converse_parts(&message["content"], &turns);
        turns.push(message["role"].as_str().unwrap_or_default(), parts);
    }
    let config = &body["inferenceConfig"];
    let system = list(&body["system"]).iter().filter_map(|block| block.get("text")).cloned();
    let tools = list(&body["toolConfig"]["tools"]).iter().filter_map(|one| one.get("toolSpec"));
    let tools = tools.map(|spec| tool(&spec["name"], &spec["description"], &spec["inputSchema"]["json"]));
    let choice = &body["toolConfig"]["toolChoice"];
    json!({
        "system": system.collect::<Vec<_>>(),
        "turns": turns.finish(),
        "tools": tools.collect::<Vec<_>>(),
        "choice": if choice["any"].is_object() { json!("required") } else { choice["tool"]["name"].clone() },
        "max_tokens": config["maxTokens"],
        "temperature": config["temperature"],
        "top_k": body["additionalModelRequestFields"]["inferenceConfig"]["topK"],
        "stop": config["stopSequences"],
        "cache_marks": body.to_string().contains("cachePoint"),
    })
}
