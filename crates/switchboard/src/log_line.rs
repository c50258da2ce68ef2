//! The lines of the log. Nearly all of them are a call's, and the formatters of `tracing-subscriber` would make each cost more
//! than the rest of a call's record: these give the same bytes for less, and leave to those whatever is unusual (colours,
//! events within a span, text that needs escapes).

use std::{
    cell::RefCell,
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
        write_time(&mut writer)?;
        writer.write_str(match *event.metadata().level() {
            tracing::Level::ERROR => " ERROR ",
            tracing::Level::WARN => "  WARN ",
            tracing::Level::INFO => "  INFO ",
            tracing::Level::DEBUG => " DEBUG ",
            tracing::Level::TRACE => " TRACE ",
        })?;
        let mut fields = TextFields { writer: writer.by_ref(), is_first: true, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        writer.write_char('\n')
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
        writer.write_str("{\"timestamp\":\"")?;
        write_time(&mut writer)?;
        writer.write_str("\",\"level\":\"")?;
        writer.write_str(event.metadata().level().as_str())?;
        writer.write_str("\",\"fields\":{")?;
        let mut fields = JsonFields { writer: writer.by_ref(), is_first: true, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        writer.write_str("},\"target\":")?;
        write_json(&mut writer, event.metadata().target())?;
        writer.write_str("}\n")
    }
}

/// The fields of a line of text.
struct TextFields<'a> {
    writer: Writer<'a>,
    is_first: bool,
    result: fmt::Result,
}

impl TextFields<'_> {
    fn name(&mut self, field: &Field) -> fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(' ')?;
        }
        self.writer.write_str(field.name())?;
        self.writer.write_char('=')
    }

    /// As `tracing-subscriber` writes it.
    fn unusual(&mut self, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
        let mut visitor = DefaultVisitor::new(self.writer.by_ref(), std::mem::take(&mut self.is_first));
        visitor.record_debug(field, value);
        visitor.finish()
    }

    fn message(&mut self, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
        let mut plain = PlainText::default();
        if write!(plain, "{value:?}").is_err() {
            return self.unusual(field, value);
        }
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(' ')?;
        }
        self.writer.write_str(plain.as_str())
    }

    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Self) -> fmt::Result) {
        if self.result.is_ok() {
            self.result = value(self);
        }
        debug_assert!(self.result.is_ok(), "{}", field.name());
    }
}

/// Names that `tracing-subscriber` treats in ways of its own.
fn has_special_name(field: &Field) -> bool {
    field.name() == "message" || field.name().starts_with("r#") || field.name().starts_with("log.")
}

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, |this| {
            if has_special_name(field) || !is_plain(value) {
                return match field.name() {
                    "message" => this.unusual(field, &format_args!("{value}")),
                    _ => this.unusual(field, &value),
                };
            }
            this.name(field)?;
            this.writer.write_char('"')?;
            this.writer.write_str(value)?;
            this.writer.write_char('"')
        });
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, |this| {
            if has_special_name(field) {
                return this.unusual(field, &value);
            }
            this.name(field)?;
            write_number(&mut this.writer, value)
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, |this| {
            if has_special_name(field) {
                return this.unusual(field, &value);
            }
            this.name(field)?;
            this.writer.write_str(if value { "true" } else { "false" })
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, |this| match field.name() {
            "message" => this.message(field, value),
            _ => this.unusual(field, value),
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.write(field, |this| {
            let mut visitor = DefaultVisitor::new(this.writer.by_ref(), std::mem::take(&mut this.is_first));
            visitor.record_error(field, value);
            visitor.finish()
        });
    }
}

/// The fields of a line of JSON.
struct JsonFields<'a> {
    writer: Writer<'a>,
    is_first: bool,
    result: fmt::Result,
}

impl JsonFields<'_> {
    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.result.is_ok() {
            self.result = self.entry(field, value);
        }
    }

    fn entry(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) -> fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(',')?;
        }
        write_json(&mut self.writer, field.name())?;
        self.writer.write_char(':')?;
        value(&mut self.writer)
    }
}

impl Visit for JsonFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, |writer| write_json(writer, value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, |writer| write_number(writer, value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, |writer| write!(writer, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, |writer| writer.write_str(&serde_json::to_string(&value).unwrap_or_default()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, |writer| writer.write_str(if value { "true" } else { "false" }));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, |writer| {
            let mut plain = PlainText::default();
            match write!(plain, "{value:?}") {
                Ok(()) => write_json(writer, plain.as_str()),
                Err(_) => write_json(writer, &format!("{value:?}")),
            }
        });
    }
}

/// Whether the text is the same within quotes, as text and as JSON.
fn is_plain(text: &str) -> bool {
    // Without a branch, so that many bytes are looked at in one instruction.
    text.bytes()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\'))
}

fn write_json(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    if !is_plain(text) {
        return writer.write_str(&serde_json::to_string(text).unwrap_or_default());
    }
    writer.write_char('"')?;
    writer.write_str(text)?;
    writer.write_char('"')
}

fn write_number(writer: &mut Writer<'_>, number: u64) -> fmt::Result {
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
    writer.write_str(std::str::from_utf8(&digits[start..]).map_err(|_| fmt::Error)?)
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
    static SECOND: RefCell<Second> = const { RefCell::new(Second { since_1970: 0, text: String::new() }) };
}

/// The time in UTC to the microsecond.
fn write_time(writer: &mut Writer<'_>) -> fmt::Result {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|second| {
        if second.since_1970 != since_1970.as_secs() || second.text.is_empty() {
            let time =
                i64::try_from(since_1970.as_secs()).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
            second.text = time.unwrap_or_default().to_string();
            second.text.truncate("2026-01-01T00:00:00".len());
            second.since_1970 = since_1970.as_secs();
        }
        writer.write_str(&second.text)
    })?;
    let mut fraction = *b".000000Z";
    let mut rest = since_1970.subsec_micros();
    for digit in fraction[1..7].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    writer.write_str(std::str::from_utf8(&fraction).map_err(|_| fmt::Error)?)
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
