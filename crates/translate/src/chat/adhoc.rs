//! Not committed.
use crate::form::{Event, Owner};
use crate::json::{Object, ObjectWriter, push_str};
use crate::names::ToolNames;
use crate::target::{AnswerContext, Target};
use dialects::Dialect;
use std::fs;

fn ctx() -> AnswerContext {
    AnswerContext {
        owner: Owner { provider: "p".into(), model: "asked-model".into() },
        names: ToolNames::default(),
        include_usage: true,
        show_reasoning: true,
        json_array: false,
        created: 1_700_000_000,
        request_id: "req-1".into(),
        echo: String::new(),
    }
}
fn q(s: &str) -> String {
    let mut o = String::new();
    push_str(&mut o, s);
    o
}

fn sse(text: &str) -> Vec<(Option<String>, String)> {
    let mut out = Vec::new();
    let (mut ev, mut data): (Option<String>, Vec<String>) = (None, vec![]);
    for line in text.replace("\r\n", "\n").split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                out.push((ev.take(), data.join("\n")));
            }
            ev = None;
            data.clear();
            continue;
        }
        if line.starts_with(':') {
            continue;
        }
        let (k, v) = line.split_once(':').unwrap_or((line, ""));
        let v = v.strip_prefix(' ').unwrap_or(v);
        if k == "data" {
            data.push(v.to_owned());
        } else if k == "event" {
            ev = Some(v.to_owned());
        }
    }
    if !data.is_empty() {
        out.push((ev, data.join("\n")));
    }
    out
}

fn check(events: &[Event], id: &str) {
    let (mut started, mut open, mut fin, mut err) = (false, false, false, false);
    for e in events {
        assert!(!err, "{id} after error");
        match e {
            Event::Start { .. } => {
                assert!(!started);
                started = true;
            }
            Event::Open(_) => {
                assert!(started && !open && !fin, "{id}");
                open = true;
            }
            Event::Delta(_) | Event::Opaque(_) | Event::Citation(_) => assert!(open, "{id}"),
            Event::Close => {
                assert!(open);
                open = false;
            }
            Event::Finish(_) => {
                assert!(started && !open && !fin);
                fin = true;
            }
            Event::Usage(_) => assert!(started),
            Event::Error(_) => err = true,
        }
    }
    assert!(fin || err, "{id} no end");
}

#[test]
#[ignore = "adhoc"]
fn dump() {
    let mut files: Vec<_> = fs::read_dir("/work/shared/corpus")
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with("chat-"))
        .collect();
    files.sort();
    let mut lines = String::new();
    for p in files {
        let text = fs::read(&p).unwrap();
        let ex = Object::parse(&text).unwrap();
        let id = ex.string("id").unwrap();
        let mut w = ObjectWriter::new().str("id", &id);
        if let Some(req) = ex.object("request") {
            let body = req.object("body").unwrap();
            match super::read_request(&body) {
                Ok(r) => {
                    for (key, official) in [("official", true), ("compat", false)] {
                        let model = body.string("model").unwrap_or_default();
                        let t = Target {
                            dialect: Dialect::OpenAiChat,
                            provider: "p",
                            model: &model,
                            is_official: official,
                        };
                        w = match super::write_request(&r, &t) {
                            Ok(wr) => w.json(key, &wr.body).json(
                                &format!("{key}_dropped"),
                                &format!(
                                    "[{}]",
                                    wr.dropped.iter().map(|d| q(d)).collect::<Vec<_>>().join(",")
                                ),
                            ),
                            Err(e) => w.str(
                                &format!("{key}_refused"),
                                &e.iter().map(|c| c.to_string()).collect::<Vec<_>>().join("; "),
                            ),
                        };
                    }
                }
                Err(e) => w = w.str("unreadable", &e.to_string()),
            }
        }
        let resp = ex.object("response").unwrap();
        if resp.u64("status").unwrap() < 400 {
            let mut events = Vec::new();
            if let Some(s) = resp.string("sse") {
                let mut reader = super::StreamReader::new(&ctx());
                for (ev, data) in sse(&s) {
                    reader.push(ev.as_deref(), data.as_bytes(), &mut events);
                }
                reader.finish(&mut events);
            } else {
                let body = resp.string("text").unwrap_or_else(|| resp.raw("json").unwrap().get().to_owned());
                match super::read_response(body.as_bytes(), &ctx()) {
                    Some(e) => events = e,
                    None => {
                        lines.push_str(&w.str("noresponse", "").finish());
                        lines.push('\x1e');
                        continue;
                    }
                }
            }
            check(&events, &id);
            w = w.json("plain", &super::write_response(&events, &ctx()));
            let mut sw = super::StreamWriter::new(ctx());
            let mut out = Vec::new();
            for e in &events {
                sw.push(e, &mut out);
            }
            sw.finish(&mut out);
            let out = String::from_utf8(out).unwrap();
            // read our own stream again: the same events but for what the format merges
            let mut reader = super::StreamReader::new(&ctx());
            let mut again = Vec::new();
            for (ev, data) in sse(&out) {
                reader.push(ev.as_deref(), data.as_bytes(), &mut again);
            }
            reader.finish(&mut again);
            check(&again, &id);
            w = w.json("plain_of_stream", &super::write_response(&again, &ctx())).str("stream", &out);
        }
        lines.push_str(&w.finish());
        lines.push('\x1e');
    }
    fs::write("/tmp/chat_dump.jsonl", lines).unwrap();
}
