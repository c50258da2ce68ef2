//! `switchboard routes`: the routes with their chains, and where calls would go now. The circuits are read from Redis, so no
//! gateway has to run.

use std::process::ExitCode;

use breaker::{Mode, ModelKey, State};
use circuits::{Policies, Report};
use manager::Route;
use serde::Serialize;

use super::{
    Session,
    circuits::{CircuitReader, Entry, in_time},
};
use crate::{
    cli::JsonArgument,
    config::{CircuitsConfig, Config},
    output::{Output, Style},
    table::{Cell, LastColumn, Table},
};

/// Prints the routes.
///
/// # Errors
/// When the configuration is invalid, or the configured Redis cannot be read.
pub async fn run(session: &Session, arguments: &JsonArgument) -> anyhow::Result<ExitCode> {
    let config = Config::load(&session.sources(None)?)?;
    let (reports, is_shared) = read_circuits(&config).await?;
    let routes = config.routes.iter();
    let routes: Vec<_> =
        routes.map(|(name, route)| RouteRow::new(name, route, &reports, &config.policies)).collect();
    if arguments.json {
        session.output.print_json(&RoutesReport { shared: is_shared, routes: &routes })?;
    } else {
        print(session.output, &routes, is_shared)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The circuits, and whether there is a store that shares them.
async fn read_circuits(config: &Config) -> anyhow::Result<(Vec<Report>, bool)> {
    if config.redis.url.is_memory() {
        return Ok((Vec::new(), false));
    }
    let circuits = CircuitsConfig { redis: config.redis.clone(), policies: config.policies.clone() };
    let reader = match CircuitReader::connect(circuits).await {
        Ok(reader) => reader,
        Err(_) if !config.redis.explicit => return Ok((Vec::new(), false)),
        Err(error) => return Err(error),
    };
    let (entries, _) = reader.entries().await?;
    let reports = entries.into_iter().filter_map(|entry| match entry {
        Entry::Circuit(report) => Some(*report),
        Entry::Unreadable(_) => None,
    });
    Ok((reports.collect(), true))
}

/// The output of `--json`.
#[derive(Serialize)]
struct RoutesReport<'a> {
    /// Whether circuits are shared; if not, each gateway has its own, and `now` is the first model.
    shared: bool,
    routes: &'a [RouteRow<'a>],
}

#[derive(Serialize)]
struct RouteRow<'a> {
    route: &'a str,
    /// The model that is called first now; of equals, all that may be. Empty: every circuit is open.
    now: Vec<&'a str>,
    /// The steps of the chain: one model, or equals.
    chain: Vec<Vec<ModelRow<'a>>>,
}

#[derive(Serialize)]
struct ModelRow<'a> {
    model: &'a str,
    state: State,
    /// Whether the circuit admits calls, probes included.
    available: bool,
    #[serde(rename = "retryInMs", skip_serializing_if = "Option::is_none")]
    retry_in_ms: Option<u64>,
}

impl<'a> RouteRow<'a> {
    fn new(name: &'a str, route: &'a Route, reports: &[Report], policies: &Policies) -> Self {
        let groups = route.models.iter();
        let chain: Vec<Vec<_>> = groups
            .map(|group| group.keys().map(|key| ModelRow::new(key, reports, policies)).collect())
            .collect();
        let available = |group: &Vec<ModelRow<'a>>| -> Vec<&'a str> {
            group.iter().filter(|model| model.available).map(|model| model.model).collect()
        };
        let now = chain.iter().map(available).find(|models| !models.is_empty()).unwrap_or_default();
        Self { route: name, now, chain }
    }
}

impl<'a> ModelRow<'a> {
    fn new(model: &'a ModelKey, reports: &[Report], policies: &Policies) -> Self {
        let mode = policies.models.get(model).unwrap_or(&policies.default).mode;
        let report = reports.iter().find(|report| report.key == *model);
        let state = report.map_or(State::Closed, |report| report.state);
        let admits = match state {
            State::Closed => true,
            State::HalfOpen => report.is_none_or(|report| report.probing.is_empty()),
            State::Open => false,
        };
        let retry_in_ms = report.and_then(|report| report.retry_in_ms).filter(|_| state == State::Open);
        Self { model: model.as_str(), state, available: admits || mode != Mode::Enforce, retry_in_ms }
    }

    /// The model behind its sign, and when it is called again.
    fn describe(&self) -> String {
        let model = self.model;
        match (self.state, self.retry_in_ms) {
            (State::Closed, _) => format!("✓ {model}"),
            (State::HalfOpen, _) => format!("! {model} (probing)"),
            (State::Open, Some(millis)) => format!("✗ {model} (probe {})", in_time(millis)),
            (State::Open, None) => format!("✗ {model} (forced open)"),
        }
    }
}

fn print(output: Output, routes: &[RouteRow<'_>], is_shared: bool) -> std::io::Result<()> {
    if routes.is_empty() {
        return output
            .print_line("No routes: add [routes.NAME] to switchboard.toml, or call provider:model.");
    }
    let mut table = Table::new(output, LastColumn::Wrapped, 2, &[(2, 28), (1, 16), (0, 10)]);
    table.add_row(["ROUTE", "CALLS GO TO", "CHAIN"].map(Cell::new));
    for row in routes {
        let now = match &row.now[..] {
            [] => Cell::styled("none: 503", Style::Bad),
            models => {
                let is_first =
                    row.chain.first().is_some_and(|group| group.iter().all(|model| model.available));
                Cell::styled(models.join(" | "), if is_first { Style::Good } else { Style::Warning })
            }
        };
        let steps = row.chain.iter().map(|group| {
            let models: Vec<_> = group.iter().map(ModelRow::describe).collect();
            models.join(" | ")
        });
        table.add_row([Cell::new(row.route), now, Cell::new(steps.collect::<Vec<_>>().join(" → "))]);
    }
    output.print_line(table.lines().join("\n"))?;
    if is_shared {
        return Ok(());
    }
    output.print_note("Circuits are not shared (no Redis): each gateway has its own, which its page shows.")
}

#[cfg(test)]
mod tests {
    use breaker::{Document, External, Policy, Timestamp};
    use manager::{ModelGroup, OnAuthError, Retry, StreamMode};
    use providers::Timeouts;

    use super::*;

    fn report(key: &str, value: &str) -> Report {
        let policy = Policy::default();
        let (Document::Native(record, _) | Document::External(External { record, .. }, _)) =
            Document::parse(value.as_bytes(), &policy)
        else {
            panic!("{value}")
        };
        Report::new(&key.parse().unwrap(), &record, &policy, Timestamp::from_millis(1_000))
    }

    #[test]
    fn calls_go_to_the_first_step_that_admits_any() {
        let equals = ModelGroup::of_equals(vec!["b:x".parse().unwrap(), "c:x".parse().unwrap()]).unwrap();
        let route = Route {
            models: vec!["a:x".parse::<ModelKey>().unwrap().into(), equals],
            retry: Retry::default(),
            timeouts: Timeouts::default(),
            stream: StreamMode::default(),
            hedge_after: None,
            on_auth_error: OnAuthError::default(),
        };
        let (open, forced) = (r#"{"state":"OPEN","openedAt":900}"#, r#"{"state":"OPEN"}"#);
        let observed =
            Policies { default: Policy { mode: Mode::Observe, ..Policy::default() }, ..Policies::default() };
        for (circuits, policies, expected) in [
            (&[][..], Policies::default(), "a:x"),
            (&[("a:x", open)], Policies::default(), "b:x c:x"),
            (&[("a:x", forced), ("b:x", open)], Policies::default(), "c:x"),
            (&[("a:x", forced), ("b:x", open), ("c:x", open)], Policies::default(), ""),
            (&[("a:x", open)], observed, "a:x"),
        ] {
            let reports: Vec<_> = circuits.iter().map(|(key, value)| report(key, value)).collect();
            let row = RouteRow::new("r", &route, &reports, &policies);
            assert_eq!(row.now.join(" "), expected, "{circuits:?}");
        }
    }
}
