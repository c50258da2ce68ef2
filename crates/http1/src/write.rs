//! The parts of a head as bytes.

/// Appends a field, whose name and value are valid ones.
pub fn push_field(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        bytes.extend_from_slice(part);
    }
}

/// Appends `content-length`, in bytes.
pub fn push_content_length(bytes: &mut Vec<u8>, length: u64) {
    push_number_field(bytes, "content-length", length);
}

/// Appends a field whose value is a number.
pub fn push_number_field(bytes: &mut Vec<u8>, name: &str, number: u64) {
    for part in [name.as_bytes(), b": "] {
        bytes.extend_from_slice(part);
    }
    push_number(bytes, number);
    bytes.extend_from_slice(b"\r\n");
}

fn push_number(bytes: &mut Vec<u8>, number: u64) {
    if number >= 10 {
        push_number(bytes, number / 10);
    }
    bytes.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_lines() {
        let mut bytes = Vec::new();
        push_field(&mut bytes, "a", b"b c");
        for length in [0, 9, 10, u64::MAX] {
            push_content_length(&mut bytes, length);
        }
        let expected = format!(
            "a: b c\r\ncontent-length: 0\r\ncontent-length: 9\r\ncontent-length: 10\r\ncontent-length: {}\r\n",
            u64::MAX
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
