//! Runs one scenario in one world.

use std::time::Duration;

use breaker::{Document, ModelKey, Outcome, Policy, Record, Timestamp};
use circuits::Report;

use crate::{
    duration,
    event::{Ending, Event, Named},
    expect::Seen,
    open_swe::OpenSwe,
    policy,
    table::{Row, Scenario},
    world::{CallId, Leave, Look, Stranger, World},
};

/// The name that stands for nobody in particular: a person at `redis-cli`, the network, the world.
const NOBODY: &str = "-";

/// The name of an Open SWE instance.
const OPEN_SWE: &str = "open-swe";

/// Runs a scenario; what went wrong, if something did.
pub(crate) async fn run(scenario: &Scenario, world: impl World, key: &ModelKey) -> Result<(), String> {
    let mut run = Run {
        beginning: world.now(),
        world,
        key: key.clone(),
        policy: scenario.policy.clone(),
        admitted: Vec::new(),
        calls: 0,
        epoch: 0,
        highest_epoch: 0,
        written: 0,
    };
    for row in &scenario.rows {
        let done = run.row(row).await;
        done.map_err(|problem| {
            format!("{}:{}: {}\n  {}\n  {problem}", scenario.file, row.line, scenario.title, row.text)
        })?;
    }
    Ok(())
}

struct Run<W> {
    world: W,
    beginning: Timestamp,
    key: ModelKey,
    policy: Policy,
    /// Calls that are under way.
    admitted: Vec<CallId>,
    /// Names calls that have none.
    calls: usize,
    epoch: u64,
    highest_epoch: u64,
    written: usize,
}

/// What came of a row's event.
#[derive(Default)]
struct Came {
    told: Vec<Leave>,
    failure: Option<String>,
}

impl<W: World> Run<W> {
    async fn row(&mut self, row: &Row) -> Result<(), String> {
        self.world.wait_until(row.time).await?;
        // A skewed instance is born after its clock is set.
        if !matches!(row.event, Event::Skew(_) | Event::Crash) {
            for who in row.who.iter().filter(|who| *who != NOBODY && *who != OPEN_SWE) {
                self.world.be_born(who).await?;
            }
        }
        let came = self.happen(row).await?;
        self.world.settle().await?;
        let look = self.world.look().await?;
        self.compare(row, &came, &look)
    }

    fn compare(&mut self, row: &Row, came: &Came, look: &Look) -> Result<(), String> {
        let now = self.world.now();
        let is_alone = look.views.get(&row.who[0]).is_some_and(|view| !view.connected);
        let report = match look.views.get(&row.who[0]) {
            Some(view) => &view.report,
            None => &self.stored_report(look, now),
        };
        let value = look.raw.as_deref().and_then(|raw| serde_json::from_slice(raw).ok());
        let seen = Seen {
            now,
            late: now.since(self.beginning + row.time),
            told: &came.told,
            failure: came.failure.as_deref(),
            report,
            look,
            is_alone,
            value: value.as_ref(),
            epoch_before: self.epoch,
            highest_epoch: self.highest_epoch,
            written: (look.written - self.written) as u64,
        };
        let compared = row.expected.iter().try_for_each(|expected| expected.compare(&seen));
        compared.map_err(|problem| format!("{problem}\n  {}", summary(&seen)))?;
        if let Some(failure) = &came.failure
            && !row.expected.iter().any(crate::expect::Expectation::is_of_failure)
        {
            return Err(failure.clone());
        }
        self.epoch = report.epoch;
        self.highest_epoch = self.highest_epoch.max(report.epoch);
        self.written = look.written;
        Ok(())
    }

    /// The circuit as it stands in the store.
    fn stored_report(&self, look: &Look, now: Timestamp) -> Report {
        let record = match &look.raw {
            Some(raw) => Document::parse(raw, &self.policy).into_parts().0,
            None => Record::closed(0),
        };
        Report::new(&self.key, &record, &self.policy, now)
    }

    async fn happen(&mut self, row: &Row) -> Result<Came, String> {
        if row.who[0] == OPEN_SWE {
            return self.open_swe(&row.event).await;
        }
        let mut came = Came::default();
        match &row.event {
            Event::Admit { name, calls } => {
                let names = (1..=*calls).map(|number| match calls {
                    1 => name.clone(),
                    _ => format!("{name}{number}"),
                });
                let calls = row.who.iter().flat_map(|who| names.clone().map(|name| call(who, name)));
                came.told = self.admit(calls.collect()).await?;
            }
            Event::Calls { count, ending } => {
                came.told = self.whole_calls(&row.who, *count, ending).await?;
            }
            Event::End { calls, ending } => self.end(&row.who, calls, ending)?,
            Event::Content(name) => self.world.content(&call(&row.who[0], name.clone()))?,
            Event::NoSuchModel(name) => {
                let call = call(&row.who[0], name.clone());
                self.admitted.retain(|admitted| *admitted != call);
                self.world.no_such_model(&call)?;
            }
            Event::Operate(operation) => {
                came.failure = self.world.operate(&row.who[0], operation).await.err();
            }
            Event::Policy(settings) => {
                policy::change(&mut self.policy, settings)?;
                self.world.set_policy(&self.policy);
            }
            Event::Look => {}
            _ => self.befall(&row.who[0], &row.event).await?,
        }
        Ok(came)
    }

    /// What happens to an instance or to the store from outside.
    async fn befall(&mut self, who: &str, event: &Event) -> Result<(), String> {
        match event {
            Event::Crash => {
                self.admitted.retain(|call| call.who != who);
                self.world.crash(who);
            }
            Event::Skew(millis) => self.world.skew(who, *millis),
            Event::Set(text) => {
                let text = with_times(text, self.world.now())?;
                self.world.stranger(Stranger::Set(&text)).await?;
            }
            Event::Rpush(value) => self.world.stranger(Stranger::Rpush(value)).await?,
            Event::History(text) => self.world.stranger(Stranger::History(text)).await?,
            Event::Del => self.world.stranger(Stranger::Del).await?,
            Event::Flush => self.world.stranger(Stranger::Flush).await?,
            Event::StoreDown => self.world.store(who, false).await?,
            Event::StoreUp => self.world.store(who, true).await?,
            _ => return Err(format!("{event:?} cannot befall {who}")),
        }
        Ok(())
    }

    async fn admit(&mut self, calls: Vec<CallId>) -> Result<Vec<Leave>, String> {
        let told = self.world.admit(&calls).await?;
        let admitted = calls.into_iter().zip(&told).filter(|(_, leave)| !matches!(leave, Leave::Refused(_)));
        self.admitted.extend(admitted.map(|(call, _)| call));
        Ok(told)
    }

    async fn whole_calls(
        &mut self,
        who: &[String],
        count: usize,
        ending: &Ending,
    ) -> Result<Vec<Leave>, String> {
        self.calls += 1;
        let name = format!("call {}.", self.calls);
        let calls = who.iter().flat_map(|who| (1..=count).map(|number| call(who, format!("{name}{number}"))));
        let told = self.admit(calls.collect()).await?;
        self.end(who, &Named::All(name), ending)?;
        Ok(told)
    }

    fn end(&mut self, who: &[String], calls: &Named, ending: &Ending) -> Result<(), String> {
        let is_meant = |call: &CallId| {
            who.contains(&call.who)
                && match calls {
                    Named::One(name) => call.name == *name,
                    Named::All(name) => call.name.strip_prefix(name.as_str()).is_some_and(is_number),
                }
        };
        let (ended, going_on): (Vec<_>, Vec<_>) = self.admitted.drain(..).partition(is_meant);
        self.admitted = going_on;
        if ended.is_empty() && matches!(calls, Named::One(_)) {
            return Err(format!("{calls:?} of {who:?} is not under way"));
        }
        ended.iter().try_for_each(|call| self.world.end(call, ending))
    }

    async fn open_swe(&mut self, event: &Event) -> Result<Came, String> {
        let now = self.world.now();
        let raw = self.world.look().await?.raw;
        let mut circuit = OpenSwe::read(raw.as_deref());
        let mut told = Vec::new();
        match event {
            Event::Admit { .. } => {
                told.push(if circuit.asks(now) { Leave::Admitted } else { Leave::Refused(None) });
            }
            Event::Calls { count: 1, ending } | Event::End { ending, .. } => match ending {
                Ending::Outcome(Outcome::Succeeded) => circuit.succeeds(),
                Ending::Outcome(_) => circuit.fails(now),
                Ending::Leave => {}
            },
            _ => return Err("Open SWE has no such event".to_owned()),
        }
        let text = circuit.into_text();
        if raw.as_deref() != Some(text.as_bytes()) {
            self.world.stranger(Stranger::Set(&text)).await?;
        }
        Ok(Came { told, failure: None })
    }
}

fn call(who: &str, name: String) -> CallId {
    CallId { who: who.to_owned(), name }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text with `now`, `now-10s` and the like replaced by Unix ms.
fn with_times(text: &str, now: Timestamp) -> Result<String, String> {
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

/// What a person needs to see to understand a failed row.
fn summary(seen: &Seen<'_>) -> String {
    let report = seen.report;
    let retry = report.retry_at.map(|at| at.since(seen.now));
    let last: Option<String> = seen.look.history.first().map(|entry| {
        format!("{}>{} {} by {}", entry.from, entry.to, entry.reason.in_short(), entry.instance)
    });
    format!(
        "seen: {} forced={} count={} trips={} epoch={} retry={} calls={}/{} told={:?} history={} last={} written={} value={}",
        report.state,
        report.forced,
        report.failure_count,
        report.trips,
        report.epoch,
        retry.map_or("none".to_owned(), |retry: Duration| format!("{retry:?}")),
        report.failures,
        report.calls,
        seen.told,
        seen.look.history.len(),
        last.unwrap_or_default(),
        seen.written,
        seen.look.raw.as_deref().map_or("absent".into(), String::from_utf8_lossy),
    )
}
