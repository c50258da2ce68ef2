//! The lines of calls. They are nearly the whole log, and as events of `tracing` each would cost more than the rest of a call's
//! record: these are the same bytes for less.

use std::{cell::Cell, fmt, io::Write as _};

use manager::{CallLine, CallLines, LineFields};
use tracing_subscriber::fmt::MakeWriter as _;

use crate::{
    line_values::{is_plain, push_number, push_time},
    log_queue::LogQueue,
};

/// The form of a line, each as `tracing-subscriber` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineForm {
    /// Text.
    Text,
    /// Text with the codes of colours.
    ColouredText,
    /// A JSON object.
    Json,
}

/// Writes the lines of calls to the log's queue.
#[derive(Debug)]
pub(crate) struct CallLineWriter {
    form: LineForm,
    queue: LogQueue,
}

impl CallLineWriter {
    /// Lines of this form.
    pub(crate) const fn new(form: LineForm, queue: LogQueue) -> Self {
        Self { form, queue }
    }
}

thread_local! {
    /// The text of a line, in memory that each line of a thread uses again.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl CallLines for CallLineWriter {
    fn add(&self, call: &CallLine<'_>) {
        let mut line = LINE.take();
        line.clear();
        let is_plain = match self.form {
            LineForm::Text => write_text::<false>(&mut line, call),
            LineForm::ColouredText => write_text::<true>(&mut line, call),
            LineForm::Json => write_object(&mut line, call),
        };
        if is_plain {
            self.queue.push_plain(&line);
        } else {
            // Writing to a queue cannot fail.
            _ = self.queue.make_writer().write_all(&line);
        }
        LINE.set(line);
    }
}

/// `false`: it has more than printable ASCII.
fn write_text<const COLOURED: bool>(line: &mut Vec<u8>, call: &CallLine<'_>) -> bool {
    line.extend_from_slice(if COLOURED { b"\x1b[2m" } else { b"" });
    push_time(line);
    line.extend_from_slice(if COLOURED { b"\x1b[0m \x1b[32m INFO\x1b[0m " } else { b"  INFO " });
    line.extend_from_slice(CallLine::MESSAGE.as_bytes());
    let mut fields = TextFields::<COLOURED> { line, is_plain: true };
    call.write_to(&mut fields);
    let is_plain = fields.is_plain;
    line.push(b'\n');
    is_plain
}

/// `false`: it has more than printable ASCII.
fn write_object(line: &mut Vec<u8>, call: &CallLine<'_>) -> bool {
    line.extend_from_slice(b"{\"timestamp\":\"");
    push_time(line);
    line.extend_from_slice(b"\",\"level\":\"INFO\",\"fields\":{\"message\":\"");
    line.extend_from_slice(CallLine::MESSAGE.as_bytes());
    line.push(b'"');
    let mut fields = ObjectFields { line, is_plain: true };
    call.write_to(&mut fields);
    let is_plain = fields.is_plain;
    line.extend_from_slice(b"},\"target\":\"");
    line.extend_from_slice(CallLine::TARGET.as_bytes());
    line.extend_from_slice(b"\"}\n");
    is_plain
}

fn push_quoted(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    line.extend_from_slice(text.as_bytes());
    line.push(b'"');
}

/// Adds a text of this program.
fn push_label(line: &mut Vec<u8>, text: &'static str) {
    debug_assert!(is_plain(text.as_bytes()), "{text}");
    push_quoted(line, text);
}

/// Adds a text, as text; `false`: it needed escapes.
fn push_text(line: &mut Vec<u8>, text: &str) -> bool {
    let is_plain = is_plain(text.as_bytes());
    if is_plain {
        push_quoted(line, text);
    } else {
        // Writing to memory cannot fail; so below.
        _ = write!(line, "{text:?}");
    }
    is_plain
}

/// The same as JSON.
fn push_json(line: &mut Vec<u8>, text: &str) -> bool {
    let is_plain = is_plain(text.as_bytes());
    if is_plain {
        push_quoted(line, text);
    } else {
        _ = serde_json::to_writer(line, text);
    }
    is_plain
}

fn push_flag(line: &mut Vec<u8>, value: bool) {
    line.extend_from_slice(if value { b"true" } else { b"false" });
}

/// The fields of a line of text. Everything about a name is inlined, so that it is copied as the constant that it is.
struct TextFields<'a, const COLOURED: bool> {
    line: &'a mut Vec<u8>,
    is_plain: bool,
}

impl<const COLOURED: bool> TextFields<'_, COLOURED> {
    #[inline(always)]
    fn name(&mut self, name: &'static str) {
        self.line.extend_from_slice(if COLOURED { b" \x1b[3m" } else { b" " });
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(if COLOURED { b"\x1b[0m\x1b[2m=\x1b[0m" } else { b"=" });
    }
}

impl<const COLOURED: bool> LineFields for TextFields<'_, COLOURED> {
    #[inline(always)]
    fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        self.is_plain &= push_text(self.line, value);
    }

    #[inline(always)]
    fn label(&mut self, name: &'static str, value: &'static str) {
        self.name(name);
        push_label(self.line, value);
    }

    fn value(&mut self, name: &'static str, value: &dyn fmt::Display) {
        self.name(name);
        let start = self.line.len();
        _ = write!(self.line, "{value}");
        self.is_plain &= is_plain(&self.line[start..]);
    }

    #[inline(always)]
    fn number(&mut self, name: &'static str, value: u64) {
        self.name(name);
        push_number(self.line, value);
    }

    #[inline(always)]
    fn flag(&mut self, name: &'static str, value: bool) {
        self.name(name);
        push_flag(self.line, value);
    }
}

/// The fields of a JSON object, after its first. Inlined like those of a text.
struct ObjectFields<'a> {
    line: &'a mut Vec<u8>,
    is_plain: bool,
}

impl ObjectFields<'_> {
    #[inline(always)]
    fn name(&mut self, name: &'static str) {
        self.line.extend_from_slice(b",\"");
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(b"\":");
    }
}

impl LineFields for ObjectFields<'_> {
    #[inline(always)]
    fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        self.is_plain &= push_json(self.line, value);
    }

    #[inline(always)]
    fn label(&mut self, name: &'static str, value: &'static str) {
        self.name(name);
        push_label(self.line, value);
    }

    fn value(&mut self, name: &'static str, value: &dyn fmt::Display) {
        self.text(name, &value.to_string());
    }

    #[inline(always)]
    fn number(&mut self, name: &'static str, value: u64) {
        self.name(name);
        push_number(self.line, value);
    }

    #[inline(always)]
    fn flag(&mut self, name: &'static str, value: bool) {
        self.name(name);
        push_flag(self.line, value);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use dialects::Dialect;
    use manager::Translated;
    use tracing_subscriber::{Layer, fmt::layer, layer::SubscriberExt as _, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a queue of lines writes, each line with the same time.
    fn written(colour: bool, write: impl FnOnce(&LogQueue)) -> Vec<String> {
        let output = Output::default();
        let queue = LogQueue::start(output.clone(), colour).unwrap();
        write(&queue);
        assert_eq!(queue.flush(Duration::from_secs(60)), 0);
        let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        let without_time = |line: &str| {
            let length = "2026-01-01T00:00:00.000000Z".len();
            let start = line.find("20").unwrap();
            let time = &line[start..start + length];
            assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
            line.replacen(time, "TIME", 1)
        };
        text.lines().map(without_time).collect()
    }

    /// The shortest line, the longest, and one of texts that need escapes.
    fn with_calls(take: impl FnMut(&CallLine<'_>)) {
        let shortest = CallLine {
            request: "a",
            caller: None,
            path: "/v1/chat/completions",
            stream: false,
            model: "",
            answered_by: None,
            upstream_request: None,
            attempts: 0,
            attempt_failures: None,
            translated: None,
            dropped: None,
            duration_ms: 0,
            first_token_ms: None,
            tokens_in: None,
            tokens_out: None,
            outcome: "unknown_model",
        };
        let translated =
            Translated { from: Dialect::Anthropic, to: Dialect::OpenAiChat, dropped: Vec::new() };
        let longest = CallLine {
            request: "0123456789abcdef",
            caller: Some("ci"),
            stream: true,
            model: "a-name-of-more-than-two-blocks-of-bytes",
            answered_by: Some("openai:gpt-5"),
            upstream_request: Some("req_1"),
            attempts: 12,
            attempt_failures: Some("openai:gpt-5: HTTP 503 overloaded_error ×2"),
            translated: Some(&translated),
            dropped: Some("top_k, metadata"),
            duration_ms: u64::MAX,
            first_token_ms: Some(10),
            tokens_in: Some(1_234_567_890),
            tokens_out: Some(9),
            outcome: "answered",
            ..shortest
        };
        let hostile = CallLine {
            request: "\u{1b}[2J\"\\\u{9b}\u{202e}\n",
            caller: Some("ü"),
            model: "0123456789abcdef\"",
            answered_by: Some("\"0123456789abcdef"),
            upstream_request: Some("\u{1b}[31m\t\u{7f}"),
            ..longest
        };
        [shortest, longest, hostile].iter().for_each(take);
    }

    /// The line as an event of `tracing`.
    fn log_event(call: &CallLine<'_>) {
        tracing::info!(
            target: CallLine::TARGET,
            request = call.request,
            caller = call.caller,
            path = call.path,
            stream = call.stream,
            model = call.model,
            answered_by = call.answered_by,
            upstream_request = call.upstream_request,
            attempts = call.attempts,
            attempt_failures = call.attempt_failures,
            translated = call.translated.map(tracing::field::display),
            dropped = call.dropped,
            duration_ms = call.duration_ms,
            first_token_ms = call.first_token_ms,
            tokens_in = call.tokens_in,
            tokens_out = call.tokens_out,
            outcome = call.outcome,
            "call"
        );
    }

    fn text_layer(queue: &LogQueue, colour: bool) -> Box<dyn Layer<registry::Registry> + Send + Sync> {
        layer().with_writer(queue.clone()).with_target(false).with_ansi(colour).boxed()
    }

    #[test]
    fn lines_are_what_tracing_subscriber_would_write() {
        for (form, colour) in
            [(LineForm::Text, false), (LineForm::ColouredText, true), (LineForm::Json, false)]
        {
            let ours = written(colour, |queue| {
                let lines = CallLineWriter::new(form, queue.clone());
                with_calls(|call| lines.add(call));
            });
            let theirs = written(colour, |queue| {
                let layer = match form {
                    LineForm::Json => layer().with_writer(queue.clone()).json().boxed(),
                    LineForm::Text | LineForm::ColouredText => text_layer(queue, colour),
                };
                tracing::subscriber::with_default(registry().with(layer), || with_calls(log_event));
            });
            assert_eq!(ours, theirs, "{form:?}");
        }
    }

    #[test]
    fn a_line_is_as_the_documentation_has_it() {
        let lines = |form| {
            written(false, |queue| {
                let lines = CallLineWriter::new(form, queue.clone());
                with_calls(|call| lines.add(call));
            })
        };
        assert_eq!(
            lines(LineForm::Text)[0],
            "TIME  INFO call request=\"a\" path=\"/v1/chat/completions\" stream=false model=\"\" attempts=0 duration_ms=0 \
             outcome=\"unknown_model\""
        );
        assert_eq!(
            lines(LineForm::Json)[0],
            "{\"timestamp\":\"TIME\",\"level\":\"INFO\",\"fields\":{\"message\":\"call\",\"request\":\"a\",\
             \"path\":\"/v1/chat/completions\",\"stream\":false,\"model\":\"\",\"attempts\":0,\"duration_ms\":0,\
             \"outcome\":\"unknown_model\"},\"target\":\"manager::call_log\"}"
        );
    }
}
