//! The fields of a form with files.

use std::collections::HashMap;

use memchr::memmem;

/// The values of a form's fields that are texts and no files; `None`: it is no form.
pub(crate) fn read_fields<'a>(content_type: &str, body: &'a [u8]) -> Option<HashMap<&'a str, &'a str>> {
    let boundary = content_type.strip_prefix("multipart/form-data")?.split_once("boundary=")?.1;
    let delimiter = format!("--{}", boundary.trim_matches('"'));
    let mut places = memmem::find_iter(body, delimiter.as_bytes()).map(|place| place + delimiter.len());
    let mut start = places.next()?;
    let mut fields = HashMap::new();
    for next in places {
        let part = body.get(start + 2..next.checked_sub(delimiter.len() + 2)?)?;
        fields.extend(read_field(part));
        start = next;
    }
    body[start..].starts_with(b"--").then_some(fields)
}

fn read_field(part: &[u8]) -> Option<(&str, &str)> {
    let head_bytes = memmem::find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&part[..head_bytes]).ok()?;
    let name = head.split_once(" name=\"")?.1.split('"').next()?;
    let is_file = head.contains("filename");
    let value = std::str::from_utf8(&part[head_bytes + 4..]).ok()?;
    (!is_file).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::read_fields;

    #[test]
    fn texts_are_fields_and_files_are_not() {
        let part = |name: &str, value: &str| {
            format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let file = part("file\"; filename=\"a", "RIFF\r\n");
        let body = part("model", "whisper-1") + &file + &part("stream", "true") + "--X--\r\n";
        let fields = read_fields("multipart/form-data; boundary=X", body.as_bytes()).unwrap();
        assert_eq!((fields["model"], fields["stream"], fields.len()), ("whisper-1", "true", 2));
        assert_eq!(read_fields("application/json", b"{}"), None);
        assert_eq!(read_fields("multipart/form-data; boundary=X", b"--X\r\n"), None);
    }
}
