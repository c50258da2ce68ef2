//! Forms with files: `multipart/form-data` (RFC 7578).
//!
//! A gateway that finds another model in a form than the provider does could be led past a key's list of models. So what
//! two readers may read differently is refused instead of guessed at: a boundary in the middle of a line, line feeds
//! without carriage returns, folded or doubled headers, names in escapes. The SDKs' forms have none of these.

use std::ops::Range;

use memchr::memmem;

/// The longest head of a part, in bytes.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// The most parts. A request has at most 16 images and some twenty fields.
const MAX_PARTS: usize = 256;

/// The longest boundary, in bytes (RFC 2046, section 5.1.1).
const MAX_BOUNDARY_BYTES: usize = 70;

/// The longest value of a field that is read, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// What is read of a form. Its files are not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Where the value of `model` stands in the body.
    pub model: Option<Range<usize>>,
    /// The value of `stream`.
    pub stream: Option<Range<usize>>,
}

/// Why a body is no form that every reader reads alike. The caller has to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The content type names no boundary.
    #[error("the content-type of a form must be multipart/form-data with a boundary of 1 to 70 characters")]
    NoBoundary,
    /// It does not begin with its boundary.
    #[error("the form must begin with its boundary in a line of its own that ends in CR LF")]
    NoFirstPart,
    /// No part is the last one.
    #[error("the form has no end: its last line must be the boundary with -- before and behind it")]
    NoEnd,
    /// Something follows its end.
    #[error("the form goes on behind its end at byte {0}")]
    AfterEnd(usize),
    /// The boundary is no line of its own.
    #[error("the form's boundary stands inside a part, at byte {0}: choose another")]
    BoundaryInside(usize),
    /// The head of a part cannot be read, or is read differently by others.
    #[error(
        "the head of the part at byte {0} of the form must be lines that end in CR LF, with one content-disposition: \
         form-data; name=\"…\" without escapes"
    )]
    Head(usize),
    /// More than 256 parts.
    #[error("the form has more than {} parts", MAX_PARTS)]
    TooManyParts,
    /// A field that was to be a short text.
    #[error("the field `{0}` of the form must be a text of up to {MAX_VALUE_BYTES} bytes, and no file")]
    NotAText(&'static str),
    /// A field that occurs twice.
    #[error("the field `{0}` occurs twice: remove one")]
    DuplicateField(&'static str),
}

impl Form {
    /// Reads a form with this `content-type`. Its time is in proportion to the body's length, and it allocates nothing.
    ///
    /// # Errors
    /// When it is no form, or one that others might read differently.
    pub fn read(content_type: &str, body: &[u8]) -> Result<Self, FormError> {
        let boundary = boundary(content_type).ok_or(FormError::NoBoundary)?;
        let delimiter = [b"--", boundary.as_bytes()].concat();
        let mut form = Self::default();
        let mut delimiters = Delimiters::new(body, &delimiter)?;
        for _ in 0..MAX_PARTS {
            let Some(part) = delimiters.next_part()? else { return Ok(form) };
            form.take(body, part)?;
        }
        Err(FormError::TooManyParts)
    }

    fn take(&mut self, body: &[u8], part: Range<usize>) -> Result<(), FormError> {
        let error = FormError::Head(part.start);
        let window = &body[part.start..part.end.min(part.start + MAX_HEAD_BYTES)];
        let head_bytes = memmem::find(window, b"\r\n\r\n").ok_or(error)?;
        let (name, is_file) = read_head(&window[..head_bytes]).ok_or(error)?;
        let value = part.start + head_bytes + 4..part.end;
        let (slot, name) = match name {
            "model" => (&mut self.model, "model"),
            "stream" => (&mut self.stream, "stream"),
            _ => return Ok(()),
        };
        if is_file || value.len() > MAX_VALUE_BYTES {
            return Err(FormError::NotAText(name));
        }
        match slot.replace(value) {
            Some(_) => Err(FormError::DuplicateField(name)),
            None => Ok(()),
        }
    }
}

/// Whether a content type is that of a form.
#[must_use]
pub fn is_form(content_type: &str) -> bool {
    const FORM: &str = "multipart/form-data";
    content_type.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM))
}

/// The only `boundary` of a content type, in quotes or without.
fn boundary(content_type: &str) -> Option<&str> {
    if !is_form(content_type) {
        return None;
    }
    let mut found = None;
    for parameter in content_type.split(';').skip(1) {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("boundary") {
            let value = value.trim();
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            if found.replace(unquoted).is_some() {
                return None;
            }
        }
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    found.filter(|boundary| {
        (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len())
            && boundary.bytes().all(allowed)
            && !boundary.ends_with(' ')
    })
}

/// The lines between the parts.
struct Delimiters<'a> {
    body: &'a [u8],
    delimiter: &'a [u8],
    finder: memmem::Finder<'a>,
    /// Where the current part begins; `None`: the end was reached.
    part: Option<usize>,
}

/// What follows a delimiter.
enum LineEnd {
    /// Another part, from here on.
    Part(usize),
    Form,
}

impl<'a> Delimiters<'a> {
    fn new(body: &'a [u8], delimiter: &'a [u8]) -> Result<Self, FormError> {
        if !body.starts_with(delimiter) {
            return Err(FormError::NoFirstPart);
        }
        let mut delimiters = Self { body, delimiter, finder: memmem::Finder::new(delimiter), part: None };
        delimiters.part = match delimiters.line_end(0).map_err(|_| FormError::NoFirstPart)? {
            LineEnd::Part(start) => Some(start),
            LineEnd::Form => None,
        };
        Ok(delimiters)
    }

    /// The range of the next part, head and content.
    fn next_part(&mut self) -> Result<Option<Range<usize>>, FormError> {
        let Some(start) = self.part else { return Ok(None) };
        // The line end before a delimiter is a part of it.
        let found = self.finder.find(&self.body[start..]).ok_or(FormError::NoEnd)? + start;
        let end = found.checked_sub(2).filter(|end| *end >= start && self.body[*end..found] == *b"\r\n");
        let end = end.ok_or(FormError::BoundaryInside(found))?;
        self.part = match self.line_end(found)? {
            LineEnd::Part(next) => Some(next),
            LineEnd::Form => None,
        };
        Ok(Some(start..end))
    }

    fn line_end(&self, delimiter: usize) -> Result<LineEnd, FormError> {
        let after = delimiter + self.delimiter.len();
        match &self.body[after..] {
            [b'\r', b'\n', ..] => Ok(LineEnd::Part(after + 2)),
            [b'-', b'-'] | [b'-', b'-', b'\r', b'\n'] => Ok(LineEnd::Form),
            [b'-', b'-', ..] => Err(FormError::AfterEnd(after + 2)),
            _ => Err(FormError::BoundaryInside(delimiter)),
        }
    }
}

/// The name of a part, and whether it is a file. `None`: others may read it differently.
fn read_head(head: &[u8]) -> Option<(&str, bool)> {
    let head = std::str::from_utf8(head).ok()?;
    let mut disposition = None;
    for line in head.split("\r\n") {
        // A folded line, or one that only some take for two.
        if line.starts_with([' ', '\t']) || line.contains(['\r', '\n', '\0']) {
            return None;
        }
        let (name, value) = line.split_once(':')?;
        if name.trim() != name {
            return None;
        }
        if name.eq_ignore_ascii_case("content-disposition") && disposition.replace(value).is_some() {
            return None;
        }
    }
    read_disposition(disposition?)
}

/// `form-data; name="model"`, maybe with a file's name. That may have any characters, so it is looked at no further; but what
/// stands before it and behind the name must be plain.
fn read_disposition(value: &str) -> Option<(&str, bool)> {
    let rest = value.trim_start().strip_prefix("form-data")?;
    let mut rest = rest.trim_start();
    let (mut field, mut is_file) = (None, false);
    while let Some(parameter) = rest.strip_prefix(';') {
        let (name, value) = parameter.split_once('=')?;
        let name = name.trim();
        let (value, after) = read_value(value)?;
        match name.to_ascii_lowercase().as_str() {
            // Escaped names are of no field that is known here, unless somebody means to hide one.
            "name" if value.contains(['\\', '%', '&']) => return None,
            "name" if field.replace(value).is_some() => return None,
            "name" => {}
            "filename" | "filename*" => is_file = true,
            _ => return None,
        }
        rest = after.trim_start();
    }
    rest.is_empty().then_some((field?, is_file))
}

/// A parameter's value, and what follows it. In quotes, a backslash escapes what follows; without, it is a token.
fn read_value(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let token = text[..end].trim_end();
        let is_plain = !token.is_empty() && !token.contains(['"', ' ', '\t', '\\']);
        return is_plain.then_some((token, &text[end..]));
    };
    let mut is_escaped = false;
    let end = quoted.find(|character| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    })?;
    Some((&quoted[..end], &quoted[end + 1..]))
}

#[cfg(test)]
mod tests;
