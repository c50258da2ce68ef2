//! The lines of the log. Nearly all of them are a call's, and the formatters of `tracing-subscriber` would make each cost more
//! than the rest of a call's record: these give the same bytes for less, and leave to those whatever is unusual (colours,
//! events within a span, text that needs escapes).

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write as _},
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::VisitOutput as _,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{DefaultVisitor, Format, Full, Json, Writer},
    },
    registry::LookupSpan,
};

/// Lines of text.
pub(crate) struct TextLines {
    full: Format<Full>,
    colour: bool,
}

/// One JSON object per line.
pub(crate) struct JsonLines(Format<Json>);

impl TextLines {
    pub(crate) fn new(colour: bool) -> Self {
        Self { full: Format::default().with_ansi(colour).with_target(false), colour }
    }
}

impl JsonLines {
    pub(crate) fn new() -> Self {
        Self(Format::default().json())
    }
}

fn is_in_span<S, N>(context: &FmtContext<'_, S, N>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    context.event_scope().is_some_and(|mut scope| scope.next().is_some())
}

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.colour || is_in_span(context) {
            return self.full.format_event(context, writer, event);
        }
        with_line(&mut writer, |line| {
            write_time(line);
            line.push_str(match *event.metadata().level() {
                tracing::Level::ERROR => " ERROR ",
                tracing::Level::WARN => "  WARN ",
                tracing::Level::INFO => "  INFO ",
                tracing::Level::DEBUG => " DEBUG ",
                tracing::Level::TRACE => " TRACE ",
            });
            let mut fields = TextFields { line, is_first: true, result: Ok(()) };
            event.record(&mut fields);
            fields.result?;
            line.push('\n');
            Ok(())
        })
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if is_in_span(context) {
            return self.0.format_event(context, writer, event);
        }
        with_line(&mut writer, |line| {
            line.push_str("{\"timestamp\":\"");
            write_time(line);
            line.push_str("\",\"level\":\"");
            line.push_str(event.metadata().level().as_str());
            line.push_str("\",\"fields\":{");
            let mut fields = JsonFields { line, is_first: true };
            event.record(&mut fields);
            line.push_str("},\"target\":");
            write_json(line, event.metadata().target());
            line.push_str("}\n");
            Ok(())
        })
    }
}

/// Makes a line in a text that this thread uses again and again, and writes it at once.
fn with_line(writer: &mut Writer<'_>, make: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
    let mut line = LINE.take();
    line.clear();
    let result = make(&mut line).and_then(|()| writer.write_str(&line));
    LINE.set(line);
    result
}

/// The fields of a line of text.
struct TextFields<'a> {
    line: &'a mut String,
    is_first: bool,
    result: fmt::Result,
}

impl TextFields<'_> {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(' ');
        }
    }

    fn name(&mut self, field: &Field) {
        self.separate();
        self.line.push_str(field.name());
        self.line.push('=');
    }

    /// As `tracing-subscriber` writes it.
    fn unusual(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        let is_first = std::mem::take(&mut self.is_first);
        let mut visitor = DefaultVisitor::new(Writer::new(&mut *self.line), is_first);
        record(&mut visitor);
        self.result = self.result.and(visitor.finish());
    }
}

/// Names that `tracing-subscriber` treats in ways of its own.
fn has_special_name(field: &Field) -> bool {
    let name = field.name();
    name == "message" || name.starts_with("r#") || name.starts_with("log.")
}

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if has_special_name(field) || !is_plain(value) {
            return self.unusual(|visitor| visitor.record_str(field, value));
        }
        self.name(field);
        self.line.push('"');
        self.line.push_str(value);
        self.line.push('"');
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if has_special_name(field) {
            return self.unusual(|visitor| visitor.record_u64(field, value));
        }
        self.name(field);
        write_number(self.line, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if has_special_name(field) {
            return self.unusual(|visitor| visitor.record_bool(field, value));
        }
        self.name(field);
        self.line.push_str(if value { "true" } else { "false" });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut plain = PlainText::default();
        if field.name() != "message" || write!(plain, "{value:?}").is_err() {
            return self.unusual(|visitor| visitor.record_debug(field, value));
        }
        self.separate();
        self.line.push_str(plain.as_str());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.unusual(|visitor| visitor.record_error(field, value));
    }
}

/// The fields of a line of JSON.
struct JsonFields<'a> {
    line: &'a mut String,
    is_first: bool,
}

impl JsonFields<'_> {
    /// What comes before a value.
    fn name(&mut self, field: &Field) -> &mut String {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(',');
        }
        write_json(self.line, field.name());
        self.line.push(':');
        self.line
    }
}

impl Visit for JsonFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        write_json(self.name(field), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        write_number(self.name(field), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field).push_str(&value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field).push_str(&serde_json::to_string(&value).unwrap_or_default());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field).push_str(if value { "true" } else { "false" });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut plain = PlainText::default();
        match write!(plain, "{value:?}") {
            Ok(()) => write_json(self.name(field), plain.as_str()),
            Err(_) => write_json(self.name(field), &format!("{value:?}")),
        }
    }
}

/// Whether the text is the same within quotes, as text and as JSON.
fn is_plain(text: &str) -> bool {
    // Without a branch, so that many bytes are looked at in one instruction.
    text.bytes()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\'))
}

fn write_json(line: &mut String, text: &str) {
    if !is_plain(text) {
        return line.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
    line.push('"');
    line.push_str(text);
    line.push('"');
}

fn write_number(line: &mut String, number: u64) {
    let mut digits = [0_u8; 20];
    let (mut start, mut rest) = (digits.len(), number);
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    line.push_str(std::str::from_utf8(&digits[start..]).unwrap_or_default());
}

/// A short text that needs no escapes. An error: it is none.
struct PlainText {
    bytes: [u8; 96],
    length: usize,
}

impl Default for PlainText {
    fn default() -> Self {
        Self { bytes: [0; 96], length: 0 }
    }
}

impl PlainText {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for PlainText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        if !is_plain(text) {
            return Err(fmt::Error);
        }
        free.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// A second as text, which changes rarely.
struct Second {
    since_1970: u64,
    text: String,
}

thread_local! {
    static LINE: Cell<String> = const { Cell::new(String::new()) };
    static SECOND: RefCell<Second> = const { RefCell::new(Second { since_1970: 0, text: String::new() }) };
}

/// The time in UTC to the microsecond.
fn write_time(line: &mut String) {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|second| {
        if second.since_1970 != since_1970.as_secs() || second.text.is_empty() {
            let time =
                i64::try_from(since_1970.as_secs()).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
            second.text = time.unwrap_or_default().to_string();
            second.text.truncate("2026-01-01T00:00:00".len());
            second.since_1970 = since_1970.as_secs();
        }
        line.push_str(&second.text);
    });
    let mut fraction = *b".000000Z";
    let mut rest = since_1970.subsec_micros();
    for digit in fraction[1..7].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    line.push_str(std::str::from_utf8(&fraction).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{Layer, fmt::MakeWriter, layer::SubscriberExt as _, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    impl Lines {
        /// The lines, with the same time in all of them.
        fn without_times(&self, before: &str) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let length = "2026-01-01T00:00:00.000000Z".len();
            let line = |line: &str| {
                let time = &line[before.len()..][..length];
                assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
                format!("{before}{}", &line[before.len() + length..])
            };
            text.lines().map(line).collect()
        }
    }

    /// One event of every kind that may be in the log.
    fn log_everything() {
        let (nothing, some) = (None::<&str>, Some("ci"));
        let error = io::Error::other("no\u{1b}[2J disk");
        tracing::info!(
            request = "a-1",
            caller = some,
            upstream = nothing,
            stream = true,
            attempts = 1_u32,
            tokens = Some(u64::MAX),
            outcome = "answered",
            "call"
        );
        tracing::warn!(negative = -5, ratio = 0.1, whole = 3.0, big = u128::MAX, "a \"quoted\" message");
        tracing::error!(
            error = &error as &(dyn std::error::Error + 'static),
            "it failed: {}",
            "x".repeat(200)
        );
        tracing::info!(text = "ü \\ \" \n \u{1b}[31m", debug = ?some, display = %"p\tq", "\u{1b}[2J{}", '\u{9b}');
        tracing::info!(r#type = "t", message_id = 7, r#match = 8_u64);
        tracing::info!(zero = 0, empty = "");
        let span = tracing::info_span!("outer", id = 5);
        span.in_scope(|| tracing::info!(inner = 1, "in a span"));
        tracing::info!("alone");
    }

    /// The lines of `tracing-subscriber` and ours.
    fn both(
        theirs: impl FnOnce(Lines) -> Box<dyn Layer<registry::Registry> + Send + Sync>,
        ours: impl FnOnce(Lines) -> Box<dyn Layer<registry::Registry> + Send + Sync>,
    ) -> [Lines; 2] {
        let lines = [Lines::default(), Lines::default()];
        for (layer, lines) in [(theirs(lines[0].clone()), &lines[0]), (ours(lines[1].clone()), &lines[1])] {
            tracing::subscriber::with_default(registry().with(layer), log_everything);
            assert!(!lines.0.lock().unwrap().is_empty());
        }
        lines
    }

    #[test]
    fn text_is_what_tracing_subscriber_writes() {
        use tracing_subscriber::fmt::layer;
        let [theirs, ours] = both(
            |lines| layer().with_writer(lines).with_ansi(false).with_target(false).boxed(),
            |lines| layer().with_writer(lines).with_ansi(false).event_format(TextLines::new(false)).boxed(),
        );
        assert_eq!(ours.without_times(""), theirs.without_times(""));
        assert_eq!(
            ours.without_times("")[0],
            format!(
                "  INFO call request=\"a-1\" caller=\"ci\" stream=true attempts=1 tokens={} outcome=\"answered\"",
                u64::MAX
            )
        );
    }

    #[test]
    fn json_is_what_tracing_subscriber_writes() {
        use tracing_subscriber::fmt::{format, layer};
        let [theirs, ours] = both(
            |lines| layer().with_writer(lines).json().boxed(),
            |lines| {
                let layer = layer().with_writer(lines).fmt_fields(format::JsonFields::new());
                layer.event_format(JsonLines::new()).boxed()
            },
        );
        let before = "{\"timestamp\":\"";
        assert_eq!(ours.without_times(before), theirs.without_times(before));
        let first = ours.without_times(before).remove(0);
        assert!(
            first.starts_with("{\"timestamp\":\"\",\"level\":\"INFO\",\"fields\":{\"message\":\"call\""),
            "{first}"
        );
        assert!(
            first.ends_with(",\"outcome\":\"answered\"},\"target\":\"switchboard::log_line::tests\"}"),
            "{first}"
        );
    }
}
