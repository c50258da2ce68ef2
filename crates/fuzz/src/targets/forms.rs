//! Forms with files: the model is found, or the form refused; another model's name changes that alone.

use bytes::Bytes;
use dialects::{Endpoint, OpenAiCall, Request};

use crate::features::Features;

/// The first line of an input is its content type.
pub(super) fn run(input: &[u8], features: &mut Features) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let content_type = String::from_utf8_lossy(&input[..end]);
    let body = Bytes::copy_from_slice(input.get(end + 1..).unwrap_or_default());
    let parse = |body| {
        Request::parse_form(Endpoint::OpenAi(OpenAiCall::Transcriptions), content_type.trim_end(), body)
    };
    let request = match parse(body.clone()) {
        Ok(request) => request,
        Err(error) => return features.add_variant("form", &error),
    };
    features.add((request.stream(), request.model().len().min(3)));
    let renamed = request.with_model("renamed");
    assert_eq!(request.pieces_with_model("renamed").concat(), renamed, "in pieces and in one");
    assert_eq!(renamed.len() + request.model().len(), body.len() + "renamed".len(), "nothing else");
    // The new name may be what the boundary ends with, which then stands inside a part.
    if let Ok(again) = parse(renamed) {
        assert_eq!(again.model(), "renamed");
        assert_eq!(again.stream(), request.stream());
        assert_eq!(again.with_model(request.model()), body, "and back");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let part =
        |head: &str, value: &str| format!("--X\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
    let file = part("name=\"file\"; filename=\"a;b=\\\".wav\"\r\nContent-Type: audio/wav", "RIFF\r\n\r\n-X");
    let (model, stream) = (part("name=\"model\"", "whisper-1"), part("name=stream", "true"));
    let bodies = [
        format!("{model}{stream}{file}--X--\r\n"),
        format!("{file}{model}--X--"),
        format!("{model}{model}--X--"),
        format!("{file}--X--\r\nepilogue"),
    ];
    let types = ["multipart/form-data; boundary=X", "Multipart/Form-Data; charset=utf-8; boundary=\"X\""];
    let seeds = bodies.iter().flat_map(|body| types.map(|content_type| format!("{content_type}\n{body}")));
    seeds.map(String::into_bytes).collect()
}
