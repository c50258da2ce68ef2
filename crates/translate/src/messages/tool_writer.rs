//! Writes tools and the choice among them.

use super::FORMAT;
use super::block_writer::{self, Block};
use super::schema;
use crate::form::{PartKind, Request, Tool, ToolChoice, ToolKind};
use crate::json::{Object, ObjectWriter};
use crate::names::{ClientName, ToolNames};
use crate::target::{Losses, Target};
use crate::tool_rules::{freeform, is_allowed, is_any_text, leave_out_hosted, no_parameters};

/// Tools as they are sent.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) tools: Vec<Block>,
    pub(super) choice: Option<ObjectWriter>,
    /// The model is made to call one.
    pub(super) is_forced: bool,
}

pub(super) fn write(
    request: &Request,
    target: &Target<'_>,
    names: &mut ToolNames,
    losses: &mut Losses,
) -> Tools {
    let mut tools = Vec::new();
    let mut hosted = Vec::new();
    for tool in &request.tools {
        match &tool.kind {
            ToolKind::Hosted { name } => hosted.push(name.as_str()),
            _ if !is_allowed(tool, request.tool_choice.as_ref()) => {
                losses.drop_if(tool.cache.is_some(), "cache_control");
            }
            _ => tools.extend(write_tool(tool, target, names, losses)),
        }
    }
    leave_out_hosted(FORMAT, &hosted, !tools.is_empty(), request.tool_choice.as_ref(), losses);
    if tools.is_empty() {
        return of_history(request);
    }
    let choice = write_choice(request);
    let is_forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. })
    );
    if is_forced && !target.abilities().forced_tools {
        losses.refuse("tool_choice", "makes the model call a tool, which it cannot be made to");
    }
    Tools { tools, choice, is_forced }
}

fn write_tool(tool: &Tool, target: &Target<'_>, names: &mut ToolNames, losses: &mut Losses) -> Option<Block> {
    let (name, namespace, description, custom) = match &tool.kind {
        ToolKind::Function { name, namespace, description, .. } => (name, namespace, description, false),
        ToolKind::Custom { name, namespace, description, .. } => (name, namespace, description, true),
        ToolKind::Hosted { .. } => return None,
    };
    let sent = block_writer::tool_name(namespace.as_deref(), name);
    names.note(&sent, ClientName { name: name.clone(), namespace: namespace.clone(), custom });
    let json = ObjectWriter::new()
        .str("name", &sent)
        .maybe(description.as_deref(), |json, description| json.str("description", description));
    let json = match &tool.kind {
        ToolKind::Function { parameters, strict, .. } => {
            let parameters = parameters.as_deref();
            let json = json
                .json("input_schema", &parameters.map_or_else(no_parameters, |raw| object_schema(raw.get())));
            match strict {
                Some(true)
                    if target.abilities().schema && parameters.is_some_and(schema::is_kept_as_it_is) =>
                {
                    json.bool("strict", true)
                }
                Some(true) => {
                    losses.drop("strict");
                    json
                }
                _ => json,
            }
        }
        ToolKind::Custom { format, .. } => {
            let grammar = format.as_deref().filter(|format| !is_any_text(format));
            losses.drop_if(grammar.is_some(), "format");
            json.object("input_schema", freeform(grammar))
        }
        ToolKind::Hosted { .. } => return None,
    };
    Some(Block::new(json, tool.cache))
}

/// Anthropic wants `"type":"object"` said.
fn object_schema(schema: &str) -> String {
    match Object::parse(schema.as_bytes()) {
        Some(object) if object.raw("type").is_some() => schema.to_owned(),
        Some(object) => {
            let typed = ObjectWriter::of_type("object");
            let fields = object.iter().filter(|(name, _)| *name != "type");
            fields.fold(typed, |writer, (name, value)| writer.raw(name, value)).finish()
        }
        None => no_parameters(),
    }
}

fn write_choice(request: &Request) -> Option<ObjectWriter> {
    let one_at_a_time = request.parallel_tool_calls == Some(false);
    let choice = match &request.tool_choice {
        None if one_at_a_time => ObjectWriter::of_type("auto"),
        None => return None,
        Some(ToolChoice::Auto | ToolChoice::Hosted(_) | ToolChoice::Allowed { required: false, .. }) => {
            ObjectWriter::of_type("auto")
        }
        Some(ToolChoice::None) => return Some(ObjectWriter::of_type("none")),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => {
            ObjectWriter::of_type("any")
        }
        Some(ToolChoice::Named(name)) => ObjectWriter::of_type("tool").str("name", &sent_name(request, name)),
    };
    Some(if one_at_a_time { choice.bool("disable_parallel_tool_use", true) } else { choice })
}

/// The chosen tool as it is declared: with its namespace, if it has one.
fn sent_name(request: &Request, chosen: &str) -> String {
    let declared = request.tools.iter().find_map(|tool| match &tool.kind {
        ToolKind::Function { name, namespace, .. } | ToolKind::Custom { name, namespace, .. }
            if name == chosen =>
        {
            Some(namespace.as_deref())
        }
        _ => None,
    });
    block_writer::tool_name(declared.flatten(), chosen)
}

/// A conversation with calls needs tools. Where the caller gives none any more, those that were called are named, and
/// none may be called.
fn of_history(request: &Request) -> Tools {
    let mut names: Vec<String> = Vec::new();
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        if let PartKind::ToolCall(call) = &part.kind {
            let name = block_writer::tool_name(call.namespace.as_deref(), &call.name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let choice = (!names.is_empty()).then(|| ObjectWriter::of_type("none"));
    let tool = |name: &String| {
        Block::new(ObjectWriter::new().str("name", name).json("input_schema", &no_parameters()), None)
    };
    Tools { tools: names.iter().map(tool).collect(), choice, is_forced: false }
}

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use super::write;
    use crate::form::{Request, Tool, ToolChoice, ToolKind};
    use crate::json::{Object, raw_of};
    use crate::messages::block_writer::array;
    use crate::messages::read_request;
    use crate::names::ToolNames;
    use crate::target::{Losses, Target};

    fn function(name: &str, namespace: Option<&str>, parameters: &str) -> Tool {
        let kind = ToolKind::Function {
            name: name.to_owned(),
            namespace: namespace.map(ToOwned::to_owned),
            description: None,
            parameters: raw_of(parameters),
            strict: Some(true),
        };
        Tool { kind, cache: None }
    }

    fn hosted() -> Tool {
        Tool { kind: ToolKind::Hosted { name: "web_search".to_owned() }, cache: None }
    }

    /// Tools and choice, and what was left out; or the field that is refused.
    fn written(tools: Vec<Tool>, choice: Option<ToolChoice>) -> Result<(String, String), String> {
        let request = Request { tools, tool_choice: choice, ..Request::default() };
        let target = Target {
            dialect: Dialect::Anthropic,
            provider: "p",
            model: "claude-sonnet-4-5",
            is_official: true,
            refuses: &[],
        };
        let (mut names, mut losses) = (ToolNames::default(), Losses::default());
        let tools = write(&request, &target, &mut names, &mut losses);
        let choice = tools.choice.map(crate::json::ObjectWriter::finish).unwrap_or_default();
        let body = array(tools.tools).finish() + &choice;
        let written = losses.finish(body, names).map_err(|refused| refused[0].field.clone())?;
        Ok((written.body, written.dropped.join(",")))
    }

    #[test]
    fn a_schema_says_that_it_is_an_object() {
        let closed = r#"{"type":"object","properties":{},"additionalProperties":false}"#;
        for (parameters, schema, dropped) in [
            ("null", r#"{"type":"object","properties":{}}}"#, "strict"),
            (r#"{"properties":{"a": {}}}"#, r#"{"type":"object","properties":{"a": {}}}}"#, "strict"),
            (closed, &*format!(r#"{closed},"strict":true}}"#), ""),
        ] {
            let expected = format!(r#"[{{"name":"n__f","input_schema":{schema}]"#);
            let written = written(vec![function("f", Some("n"), parameters)], None);
            assert_eq!(written, Ok((expected, dropped.to_owned())));
        }
    }

    #[test]
    fn the_makers_own_tools_are_left_out_unless_they_are_all() {
        let f = || function("f", None, r#"{"type":"object"}"#);
        assert_eq!(written(vec![f(), hosted()], None).unwrap().1, "strict,web_search");
        assert_eq!(written(vec![hosted()], None), Err("tools".to_owned()));
        let forced = Some(ToolChoice::Hosted("web_search".to_owned()));
        assert_eq!(written(vec![f(), hosted()], forced), Err("tools".to_owned()));
    }

    #[test]
    fn a_subset_is_sent_alone() {
        let tools = ["f", "g"].map(|name| function(name, None, r#"{"type":"object"}"#)).to_vec();
        let choice = ToolChoice::Allowed { names: vec!["g".to_owned()], required: true };
        let (body, _) = written(tools.clone(), Some(choice)).unwrap();
        assert_eq!(body, r#"[{"name":"g","input_schema":{"type":"object"}}]{"type":"any"}"#);
        let (body, _) = written(tools, Some(ToolChoice::Named("f".to_owned()))).unwrap();
        assert!(body.ends_with(r#"]{"type":"tool","name":"f"}"#));
    }

    #[test]
    fn a_freeform_tool_becomes_a_function_of_one_text() {
        let kind = ToolKind::Custom {
            name: "apply_patch".to_owned(),
            namespace: None,
            description: Some("d".to_owned()),
            format: raw_of(r#"{"type":"grammar","syntax":"lark"}"#),
        };
        let (body, dropped) = written(vec![Tool { kind, cache: None }], None).unwrap();
        assert!(
            body.contains(
                r#""input":{"type":"string","description":"Text of this form: {\"type\":\"grammar\"#
            )
        );
        assert_eq!(dropped, "format");
    }

    #[test]
    fn calls_without_tools_get_tools_that_may_not_be_called() {
        let body = r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]}]}"#;
        let request = read_request(&Object::parse(body.as_bytes()).unwrap()).unwrap();
        let target = Target {
            dialect: Dialect::Anthropic,
            provider: "p",
            model: "m",
            is_official: true,
            refuses: &[],
        };
        let tools = write(&request, &target, &mut ToolNames::default(), &mut Losses::default());
        assert_eq!(
            array(tools.tools).finish(),
            r#"[{"name":"f","input_schema":{"type":"object","properties":{}}}]"#
        );
        assert_eq!(
            tools.choice.map(crate::json::ObjectWriter::finish).as_deref(),
            Some(r#"{"type":"none"}"#)
        );
    }
}
