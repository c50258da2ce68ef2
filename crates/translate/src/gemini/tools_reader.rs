//! Reads `tools` and `toolConfig`.

use super::fields::{Fields, camel_case};
use super::schema;
use crate::form::{Tool, ToolChoice, ToolKind, Unmapped};
use crate::json::own;

pub(super) fn read_tools(body: &Fields<'_>, unmapped: &mut Vec<Unmapped>) -> Vec<Tool> {
    let mut tools = Vec::new();
    for tool in body.objects("tools") {
        for (name, _) in tool.iter() {
            let name = camel_case(name);
            if name == "functionDeclarations" {
                let declared = tool.objects("functionDeclarations");
                tools.extend(declared.iter().filter_map(|declaration| read_function(declaration, unmapped)));
            } else {
                tools.push(Tool { kind: ToolKind::Hosted { name: name.into_owned() }, cache: None });
            }
        }
    }
    tools
}

fn read_function(declaration: &Fields<'_>, unmapped: &mut Vec<Unmapped>) -> Option<Tool> {
    let parameters = match declaration.raw("parametersJsonSchema") {
        Some(schema) => Some(own(schema)),
        None => declaration.raw("parameters").map(schema::to_json_schema),
    };
    for field in ["response", "responseJsonSchema", "behavior"] {
        if declaration.raw(field).is_some() {
            note(unmapped, format!("tools.functionDeclarations.{field}"), false);
        }
    }
    let kind = ToolKind::Function {
        name: declaration.filled("name")?,
        namespace: None,
        description: declaration.filled("description"),
        parameters: parameters.filter(|schema| schema.get().starts_with('{') && schema.get() != "{}"),
        strict: None,
    };
    Some(Tool { kind, cache: None })
}

pub(super) fn read_choice(body: &Fields<'_>, unmapped: &mut Vec<Unmapped>) -> Option<ToolChoice> {
    let config = body.object("toolConfig")?;
    for (name, _) in config.iter() {
        let name = camel_case(name);
        if name != "functionCallingConfig" {
            note(unmapped, format!("toolConfig.{name}"), false);
        }
    }
    let calling = config.object("functionCallingConfig")?;
    let mut names = calling.strings("allowedFunctionNames");
    let required = match calling.str("mode")?.to_ascii_uppercase().as_str() {
        "ANY" => true,
        "AUTO" | "VALIDATED" => false,
        "NONE" => return Some(ToolChoice::None),
        _ => return None,
    };
    Some(match (names.len(), required) {
        (0, true) => ToolChoice::Required,
        (0, false) => ToolChoice::Auto,
        (1, true) => ToolChoice::Named(names.remove(0)),
        _ => ToolChoice::Allowed { names, required },
    })
}

/// Notes a field that the common form lacks, once.
pub(super) fn note(unmapped: &mut Vec<Unmapped>, field: impl Into<String>, required: bool) {
    let field = Unmapped { field: field.into(), required };
    if !unmapped.contains(&field) {
        unmapped.push(field);
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, read_choice, read_tools};
    use crate::form::{ToolChoice, ToolKind};

    #[test]
    fn functions_and_hosted_tools() {
        let body = br#"{"tools":[{"functionDeclarations":[{"name":"a","parameters":{"type":"OBJECT"}},{"name":"b","parameters_json_schema":{"type": "object"}},{"name":"c","response":{}}]},{"google_search":{}}]}"#;
        let mut unmapped = Vec::new();
        let tools = read_tools(&Fields::parse(body).unwrap(), &mut unmapped);
        let tools_read: Vec<String> = tools
            .iter()
            .map(|tool| match &tool.kind {
                ToolKind::Function { name, parameters, .. } => {
                    format!("{name} {}", parameters.as_ref().map_or("-", |schema| schema.get()))
                }
                ToolKind::Hosted { name } => name.clone(),
                ToolKind::Custom { .. } => String::new(),
            })
            .collect();
        assert_eq!(tools_read, [r#"a {"type":"object"}"#, r#"b {"type": "object"}"#, "c -", "googleSearch"]);
        assert_eq!(unmapped[0].field, "tools.functionDeclarations.response");
    }

    #[test]
    fn modes() {
        let named = ToolChoice::Named("a".to_owned());
        let allowed = ToolChoice::Allowed { names: vec!["a".to_owned()], required: false };
        let cases = [
            (r#"{"mode":"AUTO"}"#, Some(ToolChoice::Auto)),
            (r#"{"mode":"any"}"#, Some(ToolChoice::Required)),
            (r#"{"mode":"ANY","allowedFunctionNames":["a"]}"#, Some(named)),
            (r#"{"mode":"VALIDATED","allowed_function_names":["a"]}"#, Some(allowed)),
            (r#"{"mode":"NONE"}"#, Some(ToolChoice::None)),
            (r#"{"mode":"MODE_UNSPECIFIED"}"#, None),
        ];
        for (config, expected) in cases {
            let body = format!(r#"{{"toolConfig":{{"functionCallingConfig":{config}}}}}"#);
            assert_eq!(read_choice(&Fields::parse(body.as_bytes()).unwrap(), &mut Vec::new()), expected);
        }
    }
}
