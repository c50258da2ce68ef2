//! Runs one scenario in one world.

use std::time::Duration;

use breaker::{Document, ModelKey, Outcome, Policy, Record, Timestamp};
use circuits::Report;
use fleet::open_swe::OpenSwe;
use serde_json::{Map, Value, json};

use crate::{
    duration,
    event::{By, CallSelector, Ending, Event},
    expectation::Observed,
    policy,
    table::{Row, Scenario},
    world::{AdmitResult, CallId, ExternalWrite, Snapshot, World},
};

/// The name for everything outside the instances: `redis-cli`, the network, the store.
const NO_INSTANCE: &str = "-";

/// The name of an Open SWE instance.
const OPEN_SWE: &str = "open-swe";

/// Runs a scenario; an error says what went wrong.
pub(crate) async fn run(scenario: &Scenario, world: impl World, key: &ModelKey) -> Result<(), String> {
    let mut run = Runner {
        start_time: world.now(),
        world,
        key: key.clone(),
        policy: scenario.policy.clone(),
        in_flight: Vec::new(),
        calls: 0,
        epoch: 0,
        highest_epoch: 0,
        write_count: 0,
    };
    for row in &scenario.rows {
        let done = run.run_row(row).await;
        done.map_err(|problem| {
            format!("{}:{}: {}\n  {}\n  {problem}", scenario.file, row.line, scenario.title, row.text)
        })?;
    }
    Ok(())
}

struct Runner<W> {
    world: W,
    start_time: Timestamp,
    key: ModelKey,
    policy: Policy,
    /// Calls in flight.
    in_flight: Vec<CallId>,
    /// Names calls that have none.
    calls: usize,
    epoch: u64,
    highest_epoch: u64,
    write_count: usize,
}

/// The result of a row's event.
#[derive(Default)]
struct RowResult {
    admissions: Vec<AdmitResult>,
    failure: Option<String>,
}

impl<W: World> Runner<W> {
    async fn run_row(&mut self, row: &Row) -> Result<(), String> {
        self.world.wait_until(row.time).await?;
        // A skewed instance starts after its clock is set.
        if !matches!(row.event, Event::Skew(_) | Event::Crash) {
            for who in row.who.iter().filter(|who| *who != NO_INSTANCE && *who != OPEN_SWE) {
                self.world.start_instance(who).await?;
            }
        }
        let came = self.execute(row).await?;
        self.world.wait_until_settled().await?;
        let look = self.world.snapshot().await?;
        self.compare(row, &came, &look)
    }

    fn compare(&mut self, row: &Row, came: &RowResult, look: &Snapshot) -> Result<(), String> {
        let now = self.world.now();
        let is_alone = look.views.get(&row.who[0]).is_some_and(|view| !view.connected);
        let report = match look.views.get(&row.who[0]) {
            Some(view) => &view.report,
            None => &self.stored_report(look, now),
        };
        let value = look.raw.as_deref().and_then(|raw| serde_json::from_slice(raw).ok());
        let seen = Observed {
            now,
            lateness: now.since(self.start_time + row.time),
            admissions: &came.admissions,
            failure: came.failure.as_deref(),
            report,
            snapshot: look,
            is_disconnected: is_alone,
            value: value.as_ref(),
            epoch_before: self.epoch,
            highest_epoch: self.highest_epoch,
            write_count: (look.write_count - self.write_count) as u64,
        };
        let compared = row.expected.iter().try_for_each(|expected| expected.compare(&seen));
        compared.map_err(|problem| format!("{problem}\n  {}", summary(&seen)))?;
        if let Some(failure) = &came.failure
            && !row.expected.iter().any(crate::expectation::Expectation::expects_failure)
        {
            return Err(failure.clone());
        }
        self.epoch = report.epoch;
        self.highest_epoch = self.highest_epoch.max(report.epoch);
        self.write_count = look.write_count;
        Ok(())
    }

    /// The circuit as it is stored.
    fn stored_report(&self, look: &Snapshot, now: Timestamp) -> Report {
        let record = match &look.raw {
            Some(raw) => Document::parse(raw, &self.policy).into_parts().0,
            None => Record::closed(0),
        };
        Report::new(&self.key, &record, &self.policy, now)
    }

    async fn execute(&mut self, row: &Row) -> Result<RowResult, String> {
        if row.who[0] == OPEN_SWE {
            return self.open_swe(&row.event).await;
        }
        let mut came = RowResult::default();
        match &row.event {
            Event::Admit { name, calls, by } => {
                let names = (1..=*calls).map(|number| match calls {
                    1 => name.clone(),
                    _ => format!("{name}{number}"),
                });
                let calls = row.who.iter().flat_map(|who| names.clone().map(|name| call(who, name)));
                came.admissions = self.admit(calls.collect(), by.as_ref()).await?;
            }
            Event::Calls { count, ending, by } => {
                came.admissions = self.whole_calls(&row.who, *count, ending, by.as_ref()).await?;
            }
            Event::End { calls, ending } => self.end(&row.who, calls, ending)?,
            Event::FirstToken(name) => self.world.first_token(&call(&row.who[0], name.clone()))?,
            Event::UnknownModel(name) => {
                let call = call(&row.who[0], name.clone());
                self.in_flight.retain(|admitted| *admitted != call);
                self.world.unknown_model(&call)?;
            }
            Event::Operate(operation) => {
                came.failure = self.world.operate(&row.who[0], operation).await.err();
            }
            Event::Policy(settings) => {
                policy::apply_settings(&mut self.policy, settings)?;
                self.world.set_policy_for_all(&self.policy);
            }
            Event::Look => {}
            _ => self.apply_event(&row.who[0], &row.event).await?,
        }
        Ok(came)
    }

    /// What happens to an instance or to the store from outside.
    async fn apply_event(&mut self, who: &str, event: &Event) -> Result<(), String> {
        match event {
            Event::Crash => {
                self.in_flight.retain(|call| call.who != who);
                self.world.crash(who);
            }
            Event::Skew(millis) => self.world.skew(who, *millis),
            Event::Set(text) => {
                let text = expand_times(text, self.world.now())?;
                self.world.external_write(ExternalWrite::Set(&text)).await?;
            }
            Event::Edit(field, value) => {
                let raw = self.world.snapshot().await?.raw.ok_or("there is nothing to edit")?;
                let mut circuit: Map<String, Value> =
                    serde_json::from_slice(&raw).map_err(|error| error.to_string())?;
                circuit.insert(field.clone(), json!(value));
                let text = Value::Object(circuit).to_string();
                self.world.external_write(ExternalWrite::Set(&text)).await?;
            }
            Event::Rpush(value) => self.world.external_write(ExternalWrite::Rpush(value)).await?,
            Event::History(text) => self.world.external_write(ExternalWrite::History(text)).await?,
            Event::Del => self.world.external_write(ExternalWrite::Delete).await?,
            Event::Flush => self.world.external_write(ExternalWrite::Flush).await?,
            Event::StoreDown => self.world.set_store_available(who, false).await?,
            Event::StoreUp => self.world.set_store_available(who, true).await?,
            _ => return Err(format!("{event:?} cannot happen to {who}")),
        }
        Ok(())
    }

    async fn admit(&mut self, calls: Vec<CallId>, by: Option<&By>) -> Result<Vec<AdmitResult>, String> {
        let admissions = self.world.admit(&calls, by).await?;
        let admitted = calls
            .into_iter()
            .zip(&admissions)
            .filter(|(_, admission)| !matches!(admission, AdmitResult::Refused(_)));
        self.in_flight.extend(admitted.map(|(call, _)| call));
        Ok(admissions)
    }

    async fn whole_calls(
        &mut self,
        who: &[String],
        count: usize,
        ending: &Ending,
        by: Option<&By>,
    ) -> Result<Vec<AdmitResult>, String> {
        self.calls += 1;
        let name = format!("call {}.", self.calls);
        let calls = who.iter().flat_map(|who| (1..=count).map(|number| call(who, format!("{name}{number}"))));
        let admissions = self.admit(calls.collect(), by).await?;
        self.end(who, &CallSelector::All(name), ending)?;
        Ok(admissions)
    }

    fn end(&mut self, who: &[String], calls: &CallSelector, ending: &Ending) -> Result<(), String> {
        let is_meant = |call: &CallId| {
            who.contains(&call.who)
                && match calls {
                    CallSelector::One(name) => call.name == *name,
                    CallSelector::All(name) => call.name.strip_prefix(name.as_str()).is_some_and(is_number),
                }
        };
        let (ended, going_on): (Vec<_>, Vec<_>) = self.in_flight.drain(..).partition(is_meant);
        self.in_flight = going_on;
        if ended.is_empty() && matches!(calls, CallSelector::One(_)) {
            return Err(format!("{calls:?} of {who:?} is not in flight"));
        }
        ended.iter().try_for_each(|call| self.world.end(call, ending))
    }

    async fn open_swe(&mut self, event: &Event) -> Result<RowResult, String> {
        let now = self.world.now();
        let raw = self.world.snapshot().await?.raw;
        let mut circuit = OpenSwe::read(raw.as_deref());
        let mut admissions = Vec::new();
        match event {
            Event::Admit { .. } => {
                admissions.push(if circuit.allows_call(now) {
                    AdmitResult::Admitted
                } else {
                    AdmitResult::Refused(None)
                });
            }
            Event::Calls { count: 1, ending, .. } | Event::End { ending, .. } => match ending {
                Ending::Outcome(Outcome::Succeeded) => circuit.record_success(),
                Ending::Outcome(_) => circuit.record_failure(now),
                Ending::Released => {}
            },
            _ => return Err("Open SWE has no such event".to_owned()),
        }
        if let Some(text) = circuit.into_written() {
            self.world.external_write(ExternalWrite::Set(&text)).await?;
        }
        Ok(RowResult { admissions, failure: None })
    }
}

fn call(who: &str, name: String) -> CallId {
    CallId { who: who.to_owned(), name }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text with `now`, `now-10s` and the like replaced by Unix ms.
fn expand_times(text: &str, now: Timestamp) -> Result<String, String> {
    let mut whole = String::new();
    let mut parts = text.split("now");
    whole.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let ends = part.find([',', '}', ' ', ']']).unwrap_or(part.len());
        let (offset, rest) = part.split_at(ends);
        let offset = if offset.is_empty() { 0 } else { duration::parse_signed(offset)? };
        whole.push_str(&now.as_millis().saturating_add_signed(offset).to_string());
        whole.push_str(rest);
    }
    Ok(whole)
}

/// What helps to understand a failed row.
fn summary(seen: &Observed<'_>) -> String {
    let report = seen.report;
    let retry = report.retry_at.map(|at| at.since(seen.now));
    let last: Option<String> =
        seen.snapshot.history.first().map(|entry| {
            format!("{}>{} {} by {}", entry.from, entry.to, entry.reason.summary(), entry.instance)
        });
    format!(
        "seen: {} forced={} count={} trips={} epoch={} retry={} calls={}/{} admissions={:?} history={} last={} written={} value={}",
        report.state,
        report.forced,
        report.failure_count,
        report.trips,
        report.epoch,
        retry.map_or("none".to_owned(), |retry: Duration| format!("{retry:?}")),
        report.failures,
        report.calls,
        seen.admissions,
        seen.snapshot.history.len(),
        last.unwrap_or_default(),
        seen.write_count,
        seen.snapshot.raw.as_deref().map_or("absent".into(), String::from_utf8_lossy),
    )
}
