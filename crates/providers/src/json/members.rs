//! The members of a JSON object and the elements of an array in their bytes, without reading what they hold.

use std::ops::Range;

use memchr::memchr2;

/// One member of the outermost object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// Between its quotes, as it is written.
    pub(crate) name: &'a [u8],
    /// From the opening quote of the name to the end of the value.
    pub(crate) range: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The members of an object that is known to be valid JSON, in order. What is no object has none.
pub(crate) fn members(json: &[u8]) -> Members<'_> {
    let start = skip_blanks(json, 0);
    let position = if json.get(start) == Some(&b'{') { start + 1 } else { json.len() };
    Members { json, position }
}

pub(crate) struct Members<'a> {
    json: &'a [u8],
    position: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let json = self.json;
        let mut start = skip_blanks(json, self.position);
        if json.get(start) == Some(&b',') {
            start = skip_blanks(json, start + 1);
        }
        if json.get(start) != Some(&b'"') {
            return None;
        }
        let name_end = string_end(json, start)?;
        let colon = skip_blanks(json, name_end);
        let value = skip_blanks(json, colon + 1);
        let end = value_end(json, value)?;
        self.position = end;
        Some(Member { name: json.get(start + 1..name_end - 1)?, range: start..end, value: value..end })
    }
}

/// Where the elements of an array are that is known to be valid JSON, in order. What is no array has none.
pub(crate) fn elements(json: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let start = skip_blanks(json, 0);
    let mut position = if json.get(start) == Some(&b'[') { start + 1 } else { json.len() };
    std::iter::from_fn(move || {
        let mut start = skip_blanks(json, position);
        if json.get(start) == Some(&b',') {
            start = skip_blanks(json, start + 1);
        }
        if matches!(json.get(start), None | Some(b']')) {
            return None;
        }
        position = value_end(json, start)?;
        Some(start..position)
    })
}

fn skip_blanks(json: &[u8], start: usize) -> usize {
    let blanks = json.get(start..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace());
    start + blanks.count()
}

/// Behind the closing quote of the string that begins at `start`.
fn string_end(json: &[u8], start: usize) -> Option<usize> {
    let mut position = start + 1;
    loop {
        position += memchr2(b'"', b'\\', json.get(position..)?)?;
        if json[position] == b'"' {
            return Some(position + 1);
        }
        position += 2;
    }
}

/// Behind the value that begins at `start`.
fn value_end(json: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut position = start;
    loop {
        match *json.get(position)? {
            b'"' => {
                position = string_end(json, position)?;
                if depth == 0 {
                    return Some(position);
                }
            }
            b'{' | b'[' => {
                depth += 1;
                position += 1;
            }
            b'}' | b']' | b',' if depth == 0 => return Some(position),
            b'}' | b']' => {
                depth -= 1;
                position += 1;
                if depth == 0 {
                    return Some(position);
                }
            }
            byte if depth == 0 && byte.is_ascii_whitespace() => return Some(position),
            _ => position += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_where_they_are() {
        let json = r#" { "a" : 1 ,"b":"x\"}]\\", "c\n":[{"d":"]"},2], "e":{"f":{}},"g":null } "#;
        let found: Vec<_> = members(json.as_bytes())
            .map(|member| (std::str::from_utf8(member.name).unwrap(), &json[member.range]))
            .collect();
        let values = members(json.as_bytes()).map(|member| &json[member.value]).collect::<Vec<_>>();
        assert_eq!(values, ["1", r#""x\"}]\\""#, r#"[{"d":"]"},2]"#, r#"{"f":{}}"#, "null"]);
        assert_eq!(
            found,
            [
                ("a", r#""a" : 1"#),
                ("b", r#""b":"x\"}]\\""#),
                (r"c\n", r#""c\n":[{"d":"]"},2]"#),
                ("e", r#""e":{"f":{}}"#),
                ("g", r#""g":null"#),
            ]
        );
        assert_eq!(members(b"{}").next(), None);
        assert_eq!(members(b" [1]").next(), None);
        assert_eq!(members(b"").next(), None);
        assert_eq!(members(br#"{"a""#).next(), None);
        assert_eq!(members(br#"{"a":"\"#).next(), None);
    }

    #[test]
    fn elements_and_where_they_are() {
        let json = r#" [ {"a":[1]} ,"]", 2 ,[] ] "#;
        let found: Vec<_> = elements(json.as_bytes()).map(|element| &json[element]).collect();
        assert_eq!(found, [r#"{"a":[1]}"#, r#""]""#, "2", "[]"]);
        for nothing in ["[]", "{}", "", "[", " null"] {
            assert_eq!(elements(nothing.as_bytes()).next(), None, "{nothing}");
        }
    }
}
