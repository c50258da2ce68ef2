//! Interpolation of `${VAR}` in a string of the file.

use super::{environment::Environment, problem::Problem};

/// Why a string could not be interpolated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InterpolationError {
    #[error("uses ${{{0}}}, which is not set; set it, or remove this line")]
    Unset(String),
    #[error("uses ${{{0}}}, which has no value: {1}")]
    Unreadable(String, Problem),
    #[error("uses ${{{0}}}, which is empty; set it, or remove this line")]
    Empty(String),
    #[error("has a ${{ without a variable name and a closing }}; write a literal ${{ as $${{")]
    Malformed,
}

/// `text` with each `${VAR}` replaced by that variable's value. `$${` is a literal `${`; any other `$` is
/// itself. Values are not interpolated again.
pub(super) fn interpolate(text: &str, environment: &Environment) -> Result<String, InterpolationError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = after;
            continue;
        }
        filled.push_str(before);
        let (name, tail) = after.split_once('}').ok_or(InterpolationError::Malformed)?;
        filled.push_str(variable_value(name, environment)?);
        rest = tail;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn variable_value<'a>(name: &str, environment: &'a Environment) -> Result<&'a str, InterpolationError> {
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(InterpolationError::Malformed);
    }
    match environment.get_even_if_empty(name) {
        None => Err(match environment.unreadable(name) {
            Some(problem) => InterpolationError::Unreadable(name.to_owned(), problem.clone()),
            None => InterpolationError::Unset(name.to_owned()),
        }),
        Some("") => Err(InterpolationError::Empty(name.to_owned())),
        Some(value) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn replaces_variables_and_nothing_else() {
        let environment = Environment::from_pairs([("A", "one"), ("B_2", "${A}"), ("EMPTY", "")]);
        let filled = |text| interpolate(text, &environment).map_err(|error| error.to_string());
        for (text, expected) in [
            ("plain", "plain"),
            ("${A}", "one"),
            ("x${A}y${A}", "xoneyone"),
            ("${B_2}", "${A}"),
            ("$${A}", "${A}"),
            ("$A $ $$ 5$", "$A $ $$ 5$"),
            ("$$${A}", "$${A}"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("${NO}", "uses ${NO}, which is not set; set it, or remove this line"),
            ("${EMPTY}", "uses ${EMPTY}, which is empty; set it, or remove this line"),
        ] {
            assert_eq!(filled(text), Err(expected.to_owned()));
        }
        let dotenv = "FOREIGN=${NO}\nOTHER='x' y\n";
        let environment = environment.clone().with_dotenv_defaults(Path::new(".env"), dotenv).unwrap();
        for (text, expected) in [
            (
                "${FOREIGN}",
                "uses ${FOREIGN}, which has no value: .env:1: FOREIGN uses ${NO}, which is not set;",
            ),
            (
                "${OTHER}",
                "uses ${OTHER}, which has no value: .env:2: OTHER has text after its closing quote;",
            ),
        ] {
            let error = interpolate(text, &environment).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        for text in ["${", "${A", "${}", "${A B}", "${1A}", "${A-x}"] {
            assert_eq!(interpolate(text, &environment), Err(InterpolationError::Malformed), "{text}");
        }
    }
}
