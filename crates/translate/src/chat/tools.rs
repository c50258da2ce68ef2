//! Tools, and which of them may be called.

use serde_json::value::RawValue;

use super::content;
use crate::form::{Request, Tool, ToolChoice, ToolKind};
use crate::json::{ArrayWriter, Object, ObjectWriter, as_str, own};
use crate::names::{self, ClientName, OPENAI_TOOL_NAME, ToolNames};
use crate::target::{Losses, Target};

/// Reads one of `tools`.
pub(super) fn read(tool: &Object<'_>) -> Tool {
    let cache = content::read_cache(tool);
    let kind = match tool.str("type").as_deref() {
        Some("custom") => {
            let custom = tool.object("custom").unwrap_or_else(|| tool.clone());
            ToolKind::Custom {
                name: custom.string("name").unwrap_or_default(),
                namespace: None,
                description: custom.string("description"),
                format: custom.raw("format").map(flat_format),
            }
        }
        // Databricks and others forget the nesting.
        Some("function") | None => read_function(&tool.object("function").unwrap_or_else(|| tool.clone())),
        Some(hosted) => ToolKind::Hosted { name: hosted.to_owned() },
    };
    Tool { kind, cache }
}

/// Reads a function: of `tools`, or of the old `functions`.
pub(super) fn read_function(function: &Object<'_>) -> ToolKind {
    ToolKind::Function {
        name: function.string("name").unwrap_or_default(),
        namespace: None,
        description: function.string("description"),
        parameters: function.raw("parameters").map(own),
        strict: function.bool("strict"),
    }
}

/// The responses API has a grammar's fields one level higher; so has the common form.
fn flat_format(format: &RawValue) -> Box<RawValue> {
    let grammar = Object::of(format).and_then(|format| format.object("grammar"));
    let flat = grammar.and_then(|grammar| {
        let flat = ObjectWriter::of_type("grammar")
            .maybe(grammar.raw("syntax"), |flat, syntax| flat.raw("syntax", syntax))
            .maybe(grammar.raw("definition"), |flat, definition| flat.raw("definition", definition));
        crate::json::raw_of(&flat.finish())
    });
    flat.unwrap_or_else(|| own(format))
}

/// Reads `tool_choice`, or the old `function_call`.
pub(super) fn read_choice(raw: &RawValue) -> Option<ToolChoice> {
    if let Some(word) = as_str(raw) {
        return of_word(&word);
    }
    let choice = Object::of(raw)?;
    let nested = |key: &str| choice.object(key).and_then(|inner| inner.string("name"));
    match choice.str("type").as_deref() {
        Some("function" | "custom" | "tool") | None => {
            let name = nested("function").or_else(|| nested("custom")).or_else(|| choice.string("name"));
            name.map(ToolChoice::Named)
        }
        Some("allowed_tools") => {
            let allowed = choice.object("allowed_tools").unwrap_or_else(|| choice.clone());
            let name_of = |tool: &Object<'_>| {
                let inner = tool.object("function").or_else(|| tool.object("custom"));
                inner.unwrap_or_else(|| tool.clone()).string("name")
            };
            let names = allowed.objects("tools").iter().filter_map(name_of).collect();
            Some(ToolChoice::Allowed { names, required: allowed.str("mode").as_deref() == Some("required") })
        }
        Some(word) => of_word(word).or_else(|| Some(ToolChoice::Hosted(word.to_owned()))),
    }
}

fn of_word(word: &str) -> Option<ToolChoice> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" | "any" => Some(ToolChoice::Required),
        _ => None,
    }
}

/// The name that a target knows a tool by. Noted, so that the answer's calls get the client's again.
pub(super) fn sent_name(namespace: Option<&str>, name: &str, custom: bool, names: &mut ToolNames) -> String {
    let flat = names::flat_name(namespace, name);
    let sent = names::fit(&flat, OPENAI_TOOL_NAME).into_owned();
    let client = ClientName { name: name.to_owned(), namespace: namespace.map(ToOwned::to_owned), custom };
    names.note(&sent, client);
    sent
}

/// Writes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(super) fn write(
    mut body: ObjectWriter,
    request: &Request,
    target: &Target<'_>,
    names: &mut ToolNames,
    losses: &mut Losses,
) -> ObjectWriter {
    let mut tools = ArrayWriter::new();
    for tool in &request.tools {
        if let Some(written) = write_tool(tool, request, target, names, losses) {
            losses.drop_if(tool.cache.is_some(), "cache_control");
            tools.push(written);
        }
    }
    refuse_hosted_choice(request, losses);
    if tools.is_empty() {
        return body;
    }
    body = body.array("tools", tools);
    if let Some(choice) = &request.tool_choice {
        body = write_choice(body, choice, request, target, losses);
    }
    let parallel = request.parallel_tool_calls.filter(|_| target.takes("parallel_tool_calls"));
    losses.drop_if(parallel.is_none() && request.parallel_tool_calls.is_some(), "parallel_tool_calls");
    body.maybe(parallel, |body, parallel| body.bool("parallel_tool_calls", parallel))
}

fn write_tool(
    tool: &Tool,
    request: &Request,
    target: &Target<'_>,
    names: &mut ToolNames,
    losses: &mut Losses,
) -> Option<ObjectWriter> {
    let function = match &tool.kind {
        ToolKind::Function { name, namespace, description, parameters, strict } => {
            if !is_allowed(name, request, target) {
                return None;
            }
            let sent = sent_name(namespace.as_deref(), name, false, names);
            let function = ObjectWriter::new()
                .str("name", &sent)
                .maybe(description.as_deref(), |function, text| function.str("description", text));
            let function = match parameters {
                Some(schema) => function.raw("parameters", schema),
                // OpenAI takes their absence; some compatible servers do not.
                None if target.is_official => function,
                None => function.json("parameters", r#"{"type":"object","properties":{}}"#),
            };
            function.maybe(*strict, |function, strict| function.bool("strict", strict))
        }
        ToolKind::Custom { name, namespace, description, format } => {
            if !is_allowed(name, request, target) {
                return None;
            }
            let sent = sent_name(namespace.as_deref(), name, true, names);
            ObjectWriter::new()
                .str("name", &sent)
                .maybe(description.as_deref(), |function, text| function.str("description", text))
                .json("parameters", &input_schema(format.as_deref(), losses))
        }
        ToolKind::Hosted { name } => {
            drop_hosted(name, request, losses);
            return None;
        }
    };
    Some(ObjectWriter::of_type("function").object("function", function))
}

/// A freeform tool becomes a function with one text. Its grammar is told, but nobody enforces it.
fn input_schema(format: Option<&RawValue>, losses: &mut Losses) -> String {
    let format = format.and_then(Object::of);
    let grammar = format.as_ref().and_then(|format| format.str("definition"));
    let syntax = format.as_ref().and_then(|format| format.str("syntax"));
    let text = match grammar {
        Some(grammar) => {
            losses.drop("format");
            let syntax = syntax.unwrap_or_default();
            format!("The input of the tool as plain text. It must match this grammar ({syntax}):\n{grammar}")
        }
        None => "The input of the tool as plain text.".to_owned(),
    };
    let input = ObjectWriter::of_type("string").str("description", &text);
    ObjectWriter::of_type("object")
        .object("properties", ObjectWriter::new().object("input", input))
        .json("required", r#"["input"]"#)
        .bool("additionalProperties", false)
        .finish()
}

/// A tool of another maker's beside functions may be left out (T3); alone it may not.
fn drop_hosted(name: &str, request: &Request, losses: &mut Losses) {
    let beside = request.tools.iter().any(|tool| !matches!(tool.kind, ToolKind::Hosted { .. }));
    let spared = match &request.tool_choice {
        Some(ToolChoice::None) => true,
        Some(ToolChoice::Hosted(_)) => false,
        _ => beside,
    };
    if spared {
        losses.drop(name);
    } else {
        losses.refuse(name, "is a tool of its provider's and has no counterpart in OpenAI Chat Completions");
    }
}

fn refuse_hosted_choice(request: &Request, losses: &mut Losses) {
    if let Some(ToolChoice::Hosted(name)) = &request.tool_choice {
        losses.refuse(
            "tool_choice",
            format!("asks for {name}, which has no counterpart in OpenAI Chat Completions"),
        );
    }
}

/// Compatible servers do not know `allowed_tools`: they get just those tools.
fn is_allowed(name: &str, request: &Request, target: &Target<'_>) -> bool {
    match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) if !target.is_official => {
            names.iter().any(|allowed| allowed == name)
        }
        _ => true,
    }
}

fn write_choice(
    body: ObjectWriter,
    choice: &ToolChoice,
    request: &Request,
    target: &Target<'_>,
    losses: &mut Losses,
) -> ObjectWriter {
    let forces = match choice {
        ToolChoice::Required | ToolChoice::Named(_) => true,
        ToolChoice::Allowed { required, .. } => *required,
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Hosted(_) => false,
    };
    if forces && !target.abilities().forced_tools {
        losses.refuse("tool_choice", "cannot force this model to call a tool");
        return body;
    }
    let mode = |required: bool| if required { "required" } else { "auto" };
    match choice {
        ToolChoice::Auto => body.str("tool_choice", "auto"),
        ToolChoice::None => body.str("tool_choice", "none"),
        ToolChoice::Required => body.str("tool_choice", "required"),
        ToolChoice::Named(name) => body.object("tool_choice", named(name, request)),
        ToolChoice::Allowed { required, .. } if !target.is_official => {
            body.str("tool_choice", mode(*required))
        }
        ToolChoice::Allowed { names, required } => {
            let tools: ArrayWriter = names.iter().map(|name| named(name, request)).collect();
            let allowed = ObjectWriter::new().str("mode", mode(*required)).array("tools", tools);
            body.object(
                "tool_choice",
                ObjectWriter::of_type("allowed_tools").object("allowed_tools", allowed),
            )
        }
        ToolChoice::Hosted(_) => body,
    }
}

/// A choice names a tool as the client does, without its namespace.
fn named(name: &str, request: &Request) -> ObjectWriter {
    let namespace = request.tools.iter().find_map(|tool| match &tool.kind {
        ToolKind::Function { name: known, namespace, .. }
        | ToolKind::Custom { name: known, namespace, .. }
            if known == name =>
        {
            Some(namespace.as_deref())
        }
        _ => None,
    });
    let sent = sent_name(namespace.flatten(), name, false, &mut ToolNames::default());
    ObjectWriter::of_type("function").object("function", ObjectWriter::new().str("name", &sent))
}
