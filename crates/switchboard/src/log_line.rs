//! The lines of the log. Nearly all of them are a call's, and the formatters of `tracing-subscriber` would make each cost more
//! than the rest of a call's record: these give the same bytes for less, and leave to those whatever is unusual (colours,
//! events within a span, text that needs escapes).

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write as _},
    io::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::{
    Event, Metadata, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    field::VisitOutput as _,
    fmt::{
        MakeWriter as _,
        format::{DefaultVisitor, JsonFields, Writer},
        layer,
    },
    layer::Context,
    registry::LookupSpan,
};

use crate::log_queue::LogQueue;

/// Writes events as lines to a queue; those within a span by `tracing-subscriber`.
pub(crate) struct LogLines<L> {
    format: LineFormat,
    queue: LogQueue,
    /// Writes what is unusual.
    unusual: L,
}

/// The form of a line that is written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineFormat {
    /// Text without colours.
    Text,
    /// One JSON object.
    Json,
}

/// Lines of text, maybe in colours.
pub(crate) fn text_lines<S>(queue: LogQueue, colour: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let unusual = layer().with_writer(queue.clone()).with_target(false).with_ansi(colour);
    if colour {
        return unusual.boxed();
    }
    LogLines { format: LineFormat::Text, queue, unusual }.boxed()
}

/// One JSON object per line.
pub(crate) fn json_lines<S>(queue: LogQueue) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let unusual = layer().with_writer(queue.clone()).json().fmt_fields(JsonFields::new());
    LogLines { format: LineFormat::Json, queue, unusual }.boxed()
}

impl<S, L> Layer<S> for LogLines<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if context.event_span(event).is_some() {
            return self.unusual.on_event(event, context);
        }
        // In a text that this thread uses again and again.
        let mut line = LINE.take();
        line.clear();
        let written = with_field_names(self.format, event, |names| match self.format {
            LineFormat::Text => write_text(&mut line, event, names),
            LineFormat::Json => write_object(&mut line, event, names),
        });
        match written {
            Ok(IsPlain(true)) => self.queue.push_plain(line.as_bytes()),
            // Writing to a queue cannot fail.
            Ok(IsPlain(false)) => _ = self.queue.make_writer().write_all(line.as_bytes()),
            Err(_) => self.unusual.on_event(event, context),
        }
        LINE.set(line);
    }

    // An event within a span has the fields of that.
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        self.unusual.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        self.unusual.on_record(id, values, context);
    }
}

/// Whether a line has nothing but printable ASCII.
struct IsPlain(bool);

fn write_text(line: &mut String, event: &Event<'_>, names: &FieldNames) -> Result<IsPlain, fmt::Error> {
    write_time(line);
    line.push_str(match *event.metadata().level() {
        tracing::Level::ERROR => " ERROR ",
        tracing::Level::WARN => "  WARN ",
        tracing::Level::INFO => "  INFO ",
        tracing::Level::DEBUG => " DEBUG ",
        tracing::Level::TRACE => " TRACE ",
    });
    let mut fields = TextFields { line, names, is_first: true, is_plain: true, result: Ok(()) };
    event.record(&mut fields);
    fields.result?;
    let is_plain = IsPlain(fields.is_plain);
    line.push('\n');
    Ok(is_plain)
}

fn write_object(line: &mut String, event: &Event<'_>, names: &FieldNames) -> Result<IsPlain, fmt::Error> {
    line.push_str("{\"timestamp\":\"");
    write_time(line);
    line.push_str("\",\"level\":\"");
    line.push_str(event.metadata().level().as_str());
    line.push_str("\",\"fields\":{");
    let mut fields = ObjectFields { line, names, is_first: true, is_plain: true };
    event.record(&mut fields);
    let is_plain = IsPlain(fields.is_plain);
    line.push_str("},\"target\":");
    write_json(line, event.metadata().target());
    line.push_str("}\n");
    Ok(is_plain)
}

/// What is written before the values of the fields of one place in the code.
struct FieldNames {
    format: LineFormat,
    callsite: Identifier,
    /// By the field's index. As text `None` for a field that `tracing-subscriber` treats in a way of its own.
    before: Vec<Option<Box<str>>>,
}

impl FieldNames {
    fn new(format: LineFormat, metadata: &Metadata<'_>) -> Self {
        let before = |field: Field| match format {
            LineFormat::Text => (!has_special_name(&field)).then(|| format!(" {}=", field.name()).into()),
            LineFormat::Json => {
                let mut before = String::from(",");
                write_json(&mut before, field.name());
                before.push(':');
                Some(before.into())
            }
        };
        let before = metadata.fields().iter().map(before).collect();
        Self { format, callsite: metadata.callsite(), before }
    }

    /// Without the separator if it is the line's first field.
    fn before(&self, field: &Field, is_first: bool) -> Option<&str> {
        let before = self.before.get(field.index())?.as_deref()?;
        before.get(usize::from(is_first)..)
    }
}

/// Of so many places in the code a thread remembers the names of the fields. Few write most lines.
const MAX_CALLSITES: usize = 16;

/// Gives the names of an event's fields to `write`.
fn with_field_names<R>(format: LineFormat, event: &Event<'_>, write: impl FnOnce(&FieldNames) -> R) -> R {
    // Taken, since a value may write a line of its own.
    let mut all = FIELD_NAMES.take();
    let metadata = event.metadata();
    let found = all.iter().position(|names| names.callsite == metadata.callsite() && names.format == format);
    let index = found.unwrap_or_else(|| {
        if all.len() == MAX_CALLSITES {
            all.clear();
        }
        all.push(FieldNames::new(format, metadata));
        all.len() - 1
    });
    let result = write(&all[index]);
    FIELD_NAMES.set(all);
    result
}

/// The fields of a line of text.
struct TextFields<'a> {
    line: &'a mut String,
    names: &'a FieldNames,
    is_first: bool,
    is_plain: bool,
    result: fmt::Result,
}

impl TextFields<'_> {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(' ');
        }
    }

    /// Writes what comes before a value; `false`: `tracing-subscriber` treats the field in a way of its own.
    fn name(&mut self, field: &Field) -> bool {
        let Some(before) = self.names.before(field, self.is_first) else { return false };
        self.is_first = false;
        self.line.push_str(before);
        true
    }

    /// As `tracing-subscriber` writes it.
    #[cold]
    fn unusual(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        self.is_plain = false;
        let is_first = std::mem::take(&mut self.is_first);
        let mut visitor = DefaultVisitor::new(Writer::new(&mut *self.line), is_first);
        record(&mut visitor);
        self.result = self.result.and(visitor.finish());
    }
}

/// Names that `tracing-subscriber` treats in ways of its own.
fn has_special_name(field: &Field) -> bool {
    matches!(field.name().as_bytes(), b"message" | [b'r', b'#', ..] | [b'l', b'o', b'g', b'.', ..])
}

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !is_plain(value) || !self.name(field) {
            return self.unusual(|visitor| visitor.record_str(field, value));
        }
        self.line.push('"');
        self.line.push_str(value);
        self.line.push('"');
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if !self.name(field) {
            return self.unusual(|visitor| visitor.record_u64(field, value));
        }
        write_number(self.line, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if !self.name(field) {
            return self.unusual(|visitor| visitor.record_bool(field, value));
        }
        self.line.push_str(if value { "true" } else { "false" });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            return self.unusual(|visitor| visitor.record_debug(field, value));
        }
        let (length, was_first) = (self.line.len(), self.is_first);
        self.separate();
        if !push_plain(self.line, value) {
            self.line.truncate(length);
            self.is_first = was_first;
            self.unusual(|visitor| visitor.record_debug(field, value));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.unusual(|visitor| visitor.record_error(field, value));
    }
}

/// The fields of a line of JSON.
struct ObjectFields<'a> {
    line: &'a mut String,
    names: &'a FieldNames,
    is_first: bool,
    is_plain: bool,
}

impl ObjectFields<'_> {
    /// What comes before a value.
    fn name(&mut self, field: &Field) -> &mut String {
        let is_first = std::mem::take(&mut self.is_first);
        self.line.push_str(self.names.before(field, is_first).unwrap_or_default());
        self.line
    }
}

impl Visit for ObjectFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.is_plain &= write_json(self.name(field), value);
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
        let line = self.name(field);
        let length = line.len();
        line.push('"');
        if push_plain(line, value) {
            line.push('"');
        } else {
            line.truncate(length);
            self.is_plain &= write_json(self.line, &format!("{value:?}"));
        }
    }
}

/// Adds a text; `false`: it needs escapes, and what was added has to go.
fn push_plain(line: &mut String, value: &dyn fmt::Debug) -> bool {
    let length = line.len();
    write!(line, "{value:?}").is_ok() && line.get(length..).is_some_and(is_plain)
}

/// Whether the text is the same within quotes, as text and as JSON.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    // In blocks of one size, of which the last may overlap: a block is looked at in a few instructions.
    let (blocks, rest) = bytes.as_chunks::<16>();
    let rest_is_plain = match bytes.last_chunk::<16>() {
        Some(last) => are_plain(last),
        None => are_plain(rest),
    };
    blocks.iter().all(|block| are_plain(block)) && rest_is_plain
}

#[inline]
fn are_plain(bytes: &[u8]) -> bool {
    // Without a branch, so that many bytes are looked at in one instruction.
    bytes
        .iter()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~') & (*byte != b'"') & (*byte != b'\\'))
}

/// Adds a text in quotes; `false`: it needed escapes, or is not ASCII.
fn write_json(line: &mut String, text: &str) -> bool {
    if !is_plain(text) {
        line.push_str(&serde_json::to_string(text).unwrap_or_default());
        return false;
    }
    line.push('"');
    line.push_str(text);
    line.push('"');
    true
}

fn write_number(line: &mut String, number: u64) {
    if number < 10 {
        return push_digit(line, number);
    }
    let mut place = 10;
    while number / place >= 10 {
        place *= 10;
    }
    while place > 0 {
        push_digit(line, number / place);
        place /= 10;
    }
}

/// Adds the last digit of a number.
fn push_digit(line: &mut String, number: u64) {
    line.push(char::from(b'0' + u8::try_from(number % 10).unwrap_or_default()));
}

/// A second as text, which changes rarely.
struct Second {
    since_1970: u64,
    text: String,
}

thread_local! {
    static LINE: Cell<String> = const { Cell::new(String::new()) };
    static FIELD_NAMES: Cell<Vec<FieldNames>> = const { Cell::new(Vec::new()) };
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
    line.push('.');
    let micros = since_1970.subsec_micros();
    for place in [100_000, 10_000, 1_000, 100, 10, 1] {
        push_digit(line, u64::from(micros / place));
    }
    line.push('Z');
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use tracing_subscriber::{layer::SubscriberExt as _, registry};

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

    type BoxedLayer = Box<dyn Layer<registry::Registry> + Send + Sync>;

    /// The lines of `tracing-subscriber` and ours.
    fn both(theirs: fn(LogQueue) -> BoxedLayer, ours: fn(LogQueue) -> BoxedLayer) -> [Lines; 2] {
        [theirs, ours].map(|layer| {
            let lines = Lines::default();
            let queue = LogQueue::start(lines.clone(), false).unwrap();
            tracing::subscriber::with_default(registry().with(layer(queue.clone())), log_everything);
            assert_eq!(queue.flush(Duration::from_secs(60)), 0);
            lines
        })
    }

    #[test]
    fn text_is_what_tracing_subscriber_writes() {
        let [theirs, ours] = both(
            |queue| layer().with_writer(queue).with_ansi(false).with_target(false).boxed(),
            |queue| text_lines(queue, false),
        );
        assert!(!ours.without_times("").is_empty());
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
        let [theirs, ours] = both(|queue| layer().with_writer(queue).json().boxed(), json_lines);
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
