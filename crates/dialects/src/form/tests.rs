use super::*;

const TYPE: &str = "multipart/form-data; boundary=X";

fn form(parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--X\r\n{part}\r\n")).collect();
    parts + "--X--\r\n"
}

fn field(name: &str, value: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}")
}

fn read(body: &str) -> Result<(Option<String>, Option<String>), FormError> {
    let form = Form::read(TYPE, body.as_bytes())?;
    let text = |range: Option<Range<usize>>| range.map(|range| body[range].to_owned());
    Ok((text(form.model), text(form.stream)))
}

#[test]
fn fields_are_found_wherever_they_stand() {
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"a;b=\\\".wav\"\r\nContent-Type: audio/wav\r\n\r\n\
                RIFF\r\n\r\n-X--\r\nname=\"model\"";
    let (model, stream) = (field("model", "whisper-1"), field("stream", "true"));
    let found = Ok((Some("whisper-1".to_owned()), Some("true".to_owned())));
    assert_eq!(read(&form(&[&model, &stream, file])), found);
    assert_eq!(read(&form(&[file, &stream, &model])), found, "the model last");
    assert_eq!(read(&form(&[file])), Ok((None, None)));
    assert_eq!(read("--X--"), Ok((None, None)));
    assert_eq!(read(&form(&[&field("model", "")])), Ok((Some(String::new()), None)));
    for head in [
        "content-disposition:form-data;name=model",
        "Content-Type: text/plain\r\nCONTENT-DISPOSITION: form-data ; name=\"model\"",
    ] {
        assert_eq!(read(&form(&[&format!("{head}\r\n\r\nm")])), Ok((Some("m".to_owned()), None)), "{head}");
    }
}

#[test]
fn what_two_readers_may_read_differently_is_refused() {
    let model = field("model", "m");
    let head = |head: &str| form(&[&format!("{head}\r\n\r\nm")]);
    let disposition = "Content-Disposition: form-data; name=\"model\"";
    for (body, expected) in [
        (String::new(), FormError::NoFirstPart),
        (format!("preamble\r\n{}", form(&[&model])), FormError::NoFirstPart),
        (form(&[&model]).replace("\r\n", "\n"), FormError::NoFirstPart),
        (form(&[&model]).replace("--X--\r\n", ""), FormError::NoEnd),
        (form(&[&model]) + "epilogue", FormError::AfterEnd(61)),
        (form(&[&field("a", "b\n--X\r\nc"), &model]), FormError::BoundaryInside(51)),
        (form(&[&field("a", "b\r\n--XY\r\nc"), &model]), FormError::BoundaryInside(52)),
        (form(&[&field("a", "b\r\n--X \r\nc"), &model]), FormError::BoundaryInside(52)),
        (form(&["no head"]), FormError::Head(5)),
        (head(&format!("{disposition}\r\n{disposition}")), FormError::Head(5)),
        (head("Content-Disposition: form-data;\r\n name=\"model\""), FormError::Head(5)),
        (head("Content-Disposition : form-data; name=\"model\""), FormError::Head(5)),
        (head("Content-Disposition: form-data; name=\"a\"; name=\"model\""), FormError::Head(5)),
        (head("Content-Disposition: form-data; name*=utf-8''model; name=\"a\""), FormError::Head(5)),
        (head("Content-Disposition: form-data; name=\"mo\\del\""), FormError::Head(5)),
        (head("Content-Disposition: form-data; name=\"%6dodel\""), FormError::Head(5)),
        (head("Content-Disposition: attachment; name=\"model\""), FormError::Head(5)),
        (head("Content-Type: text/plain"), FormError::Head(5)),
        (head(&format!("A: b\nB: c\r\n{disposition}")), FormError::Head(5)),
        (form(&[&model, &model]), FormError::DuplicateField("model")),
        (head(&format!("{disposition}; filename=\"m\"")), FormError::NotAText("model")),
        (form(&[&field("model", &"m".repeat(1025))]), FormError::NotAText("model")),
        (form(&vec![field("a", "b").as_str(); 257]), FormError::TooManyParts),
        (head(&format!("A: {}\r\n{disposition}", "b".repeat(9_000))), FormError::Head(5)),
    ] {
        assert_eq!(read(&body), Err(expected), "{body:.300}");
    }
}

#[test]
fn boundaries() {
    for (content_type, expected) in [
        ("multipart/form-data; boundary=X", Some("X")),
        ("Multipart/Form-Data;charset=utf-8;Boundary=\"a b:c\"", Some("a b:c")),
        (
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            Some("----WebKitFormBoundary7MA4YWxkTrZu0gW"),
        ),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=a; boundary=b", None),
        ("multipart/form-data; boundary=\"a\\\"b\"", None),
        ("multipart/mixed; boundary=X", None),
        ("application/json", None),
        ("multipart/form-dat\u{e4}; boundary=X", None),
    ] {
        assert_eq!(boundary(content_type), expected, "{content_type}");
    }
    assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "a".repeat(71))), None);
}
