//! The log, on standard error, as text or JSON.

use std::{io, panic::PanicHookInfo};

use anyhow::Context as _;
use manager::{CallLine, CallLines};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt::layer, layer::SubscriberExt as _, registry,
    util::SubscriberInitExt as _,
};

use crate::{
    call_lines::{CallLineWriter, LineForm},
    config::{Environment, environment::names},
    log_queue::LogQueue,
    output::ColorChoice,
    traces::Traces,
};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// Text lines.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// The log of this process.
#[derive(Debug, Clone)]
pub struct Log {
    /// The queue of lines, which is to be flushed at the end.
    pub queue: LogQueue,
    /// Where the lines of calls go; `None`: the filter leaves them out.
    pub calls: Option<&'static dyn CallLines>,
}

/// Starts the log, and passes spans to `traces`. The filter is `SWITCHBOARD_LOG`, else `RUST_LOG`, else
/// `default_filter`: a level, or pairs of a module and a level, for instance `info,manager=debug`.
///
/// # Errors
/// When a variable is invalid, or the log is started already.
pub fn init(
    format: Option<LogFormat>,
    color: ColorChoice,
    environment: &Environment,
    default_filter: &str,
    traces: Option<&Traces>,
) -> anyhow::Result<Log> {
    let filter = filter(environment, default_filter)?;
    let format = match format {
        Some(format) => format,
        None => format_from_env(environment)?,
    };
    let colour = color.applies_to(environment, &io::stderr());
    let queue = LogQueue::to_stderr(colour).context("cannot start the log")?;
    let calls = has_call_lines(&filter).then(|| call_lines(format, colour, queue.clone()));
    let lines = layer().with_writer(queue.clone());
    let lines = match format {
        LogFormat::Text => lines.with_target(false).with_ansi(colour).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // Without traces the filter applies to the whole subscriber, so that disabled events cost nothing.
    let started = match traces {
        None => registry().with(lines).with(filter).try_init(),
        Some(traces) => registry().with(lines.with_filter(filter)).with(traces.layer()).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))?;
    Ok(Log { queue, calls })
}

/// Whether the filter lets the lines of calls through.
fn has_call_lines(filter: &Targets) -> bool {
    filter.would_enable(CallLine::TARGET, &Level::INFO)
}

/// As long as the process, as the log, so that no call counts references to it.
fn call_lines(format: LogFormat, colour: bool, queue: LogQueue) -> &'static dyn CallLines {
    let form = match format {
        LogFormat::Text if colour => LineForm::ColouredText,
        LogFormat::Text => LineForm::Text,
        LogFormat::Json => LineForm::Json,
    };
    Box::leak(Box::new(CallLineWriter::new(form, queue)))
}

/// Logs where the program panicked. By the log, since standard error may have a reader that does not read (Q7), and without the
/// message, which may quote a prompt (C5).
pub fn report_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(location, "panic: this is a bug, please report it");
}

fn filter(environment: &Environment, default_filter: &str) -> anyhow::Result<Targets> {
    for name in [names::LOG, names::RUST_LOG] {
        if let Some(directives) = environment.get(name) {
            let expected = "expected a level or pairs such as \"info,manager=debug\"";
            return parse_filter(directives)
                .with_context(|| format!("{name} is not a valid log filter, {expected}"));
        }
    }
    parse_filter(default_filter)
}

/// The syntax of `RUST_LOG`, but for filters of single spans and fields. Nothing is no log but errors.
fn parse_filter(directives: &str) -> anyhow::Result<Targets> {
    let directives: Vec<_> = directives.split(',').map(str::trim).filter(|pair| !pair.is_empty()).collect();
    if directives.is_empty() {
        return Ok(Targets::new().with_default(LevelFilter::ERROR));
    }
    anyhow::ensure!(!directives.iter().any(|pair| pair.contains('[')), "it has filters of spans");
    Ok(directives.join(",").parse()?)
}

fn format_from_env(environment: &Environment) -> anyhow::Result<LogFormat> {
    match environment.get(names::LOG_FORMAT) {
        None | Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        Some(other) => anyhow::bail!("{} is {other:?}, expected \"text\" or \"json\"", names::LOG_FORMAT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switchboard_log_wins_over_rust_log() {
        let environment = Environment::from_pairs([("SWITCHBOARD_LOG", "debug"), ("RUST_LOG", "error")]);
        assert_eq!(filter(&environment, "info").unwrap().to_string(), "debug");
        let environment = Environment::from_pairs([("RUST_LOG", "error")]);
        assert_eq!(filter(&environment, "info").unwrap().to_string(), "error");
        assert_eq!(filter(&Environment::default(), "info").unwrap().to_string(), "info");
    }

    #[test]
    fn a_filter_is_read_as_people_write_it() {
        for (written, expected) in [
            ("info,manager=debug", "manager=debug,info"),
            (" info, manager=debug,", "manager=debug,info"),
            ("WARN", "warn"),
            ("off", "off"),
            (",", "error"),
            ("manager", "manager=trace"),
        ] {
            assert_eq!(parse_filter(written).unwrap().to_string(), expected, "{written:?}");
        }
    }

    #[test]
    fn the_filter_applies_to_the_lines_of_calls() {
        for (directives, logged) in [
            ("info", true),
            ("debug", true),
            ("warn", false),
            ("off", false),
            ("", false),
            ("manager", true),
            ("info,manager=warn", false),
            ("warn,manager=info", true),
            ("warn,manager::call_log=info", true),
            ("info,manager::call_log=warn", false),
            ("warn,gateway=debug", false),
        ] {
            assert_eq!(has_call_lines(&parse_filter(directives).unwrap()), logged, "{directives:?}");
        }
    }

    #[test]
    fn invalid_variables_are_named() {
        let environment = Environment::from_pairs([("RUST_LOG", "manager=loud")]);
        assert!(
            format!("{:#}", filter(&environment, "info").unwrap_err())
                .starts_with("RUST_LOG is not a valid log filter")
        );
        let environment = Environment::from_pairs([("RUST_LOG", "info,manager[call{model=x}]=debug")]);
        assert!(
            format!("{:#}", filter(&environment, "info").unwrap_err())
                .starts_with("RUST_LOG is not a valid log filter")
        );
        let environment = Environment::from_pairs([("SWITCHBOARD_LOG_FORMAT", "xml")]);
        let error = format_from_env(&environment).unwrap_err().to_string();
        assert_eq!(error, "SWITCHBOARD_LOG_FORMAT is \"xml\", expected \"text\" or \"json\"");
    }
}
