//! Reads a request's tools and the choice among them.

use super::block_reader::{cache, leave_out};
use crate::RequestError;
use crate::form::{Request, Tool, ToolChoice, ToolKind, Unmapped};
use crate::json::{Object, items, own};

pub(super) fn read(body: &Object<'_>, request: &mut Request) -> Result<(), RequestError> {
    let tools = match body.raw("tools") {
        Some(raw) => items(raw).ok_or_else(|| RequestError::field("tools", "must be an array"))?,
        None => Vec::new(),
    };
    let mut hosted = Vec::new();
    for (index, raw) in tools.into_iter().enumerate() {
        let tool = Object::of(raw)
            .ok_or_else(|| RequestError::field(format!("tools[{index}]"), "must be an object"))?;
        let name = tool.string("name");
        let kind = match tool.string("type").filter(|kind| kind != "custom") {
            Some(kind) => {
                hosted.push((name.unwrap_or_default(), kind.clone()));
                ToolKind::Hosted { name: kind }
            }
            None => read_function(&tool, name, &mut request.unmapped)
                .ok_or_else(|| RequestError::field(format!("tools[{index}].name"), "is missing"))?,
        };
        request.tools.push(Tool { kind, cache: cache(&tool) });
    }
    read_choice(body, &hosted, request);
    Ok(())
}

fn read_function(tool: &Object<'_>, name: Option<String>, unmapped: &mut Vec<Unmapped>) -> Option<ToolKind> {
    // Hints about how the tool is put to the model; it is put there whole and at once.
    for hint in ["defer_loading", "eager_input_streaming"] {
        if tool.bool(hint) == Some(true) {
            leave_out(unmapped, hint);
        }
    }
    for hint in ["input_examples", "allowed_callers"] {
        if tool.raw(hint).is_some() {
            leave_out(unmapped, hint);
        }
    }
    Some(ToolKind::Function {
        name: name?,
        namespace: None,
        description: tool.string("description"),
        parameters: tool.raw("input_schema").map(own),
        strict: tool.bool("strict"),
    })
}

/// `hosted`: name and type of the tools that are not the client's own functions.
fn read_choice(body: &Object<'_>, hosted: &[(String, String)], request: &mut Request) {
    let Some(choice) = body.object("tool_choice") else { return };
    request.tool_choice = match choice.str("type").as_deref() {
        Some("auto") => Some(ToolChoice::Auto),
        Some("any") => Some(ToolChoice::Required),
        Some("none") => Some(ToolChoice::None),
        Some("tool") => {
            choice.string("name").map(|name| match hosted.iter().find(|(known, _)| *known == name) {
                Some((_, kind)) => ToolChoice::Hosted(kind.clone()),
                None => ToolChoice::Named(name),
            })
        }
        _ => None,
    };
    if choice.bool("disable_parallel_tool_use") == Some(true) {
        request.parallel_tool_calls = Some(false);
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::form::{Request, ToolChoice, ToolKind};
    use crate::json::Object;

    #[test]
    fn typed_tools_are_hosted_and_custom_ones_functions() {
        let mut request = Request::default();
        let body =
            br#"{"tools":[{"name":"f","type":"custom","input_schema":{"type":"object"},"defer_loading":true},
            {"type":"web_search_20250305","name":"web_search"}],
            "tool_choice":{"type":"tool","name":"web_search","disable_parallel_tool_use":true}}"#;
        read(&Object::parse(body).unwrap(), &mut request).unwrap();
        assert!(matches!(&request.tools[0].kind, ToolKind::Function { name, .. } if name == "f"));
        assert!(matches!(&request.tools[1].kind, ToolKind::Hosted { name } if name == "web_search_20250305"));
        assert_eq!(request.tool_choice, Some(ToolChoice::Hosted("web_search_20250305".to_owned())));
        assert_eq!(
            (request.parallel_tool_calls, &*request.unmapped[0].field),
            (Some(false), "defer_loading")
        );
    }
}
