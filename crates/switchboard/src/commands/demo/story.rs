//! What is printed while the demo runs: a line per event.

use std::{fmt::Display, io, time::Duration};

use breaker::{ModelKey, State, Transition};
use circuits::Report;
use tokio::time::Instant;

use super::{
    callers::Tally,
    counts::{Counts, Outages},
    providers::ProviderChange,
    script::{Cue, Script},
    stage::{OPEN_DURATION, ROUTE, Stage},
};
use crate::{
    config::DurationText,
    output::{Output, Style},
    wrap::{shorten, wrap},
};

/// How often the callers' counts are printed.
const CALLERS_INTERVAL: Duration = Duration::from_secs(2);

/// Prints the events.
#[derive(Debug)]
pub(super) struct Story {
    output: Output,
    start: Instant,
    script: Script,
    primary: ModelKey,
    backup: ModelKey,
    /// The epoch of the last printed transition.
    last_epoch: u64,
    transitions: usize,
    probes: usize,
    outages: Outages,
    /// The last printed counts of the callers, and when.
    reported_tally: Tally,
    reported_at: Duration,
}

impl Story {
    /// Prints the introduction.
    pub(super) fn begin(output: Output, duration: Option<Duration>, stage: &Stage) -> io::Result<Self> {
        let story = Self {
            output,
            start: Instant::now(),
            script: Script::begin(),
            primary: stage.primary.clone(),
            backup: stage.backup.clone(),
            last_epoch: 0,
            transitions: 0,
            probes: 0,
            outages: Outages::default(),
            reported_tally: Tally::default(),
            reported_at: Duration::ZERO,
        };
        story.print_intro(duration, stage)?;
        story.print_line("healthy", Style::Good, format_args!("{} answers every request", story.primary))?;
        Ok(story)
    }

    fn print_intro(&self, duration: Option<Duration>, stage: &Stage) -> io::Result<()> {
        let Self { output, primary, backup, .. } = self;
        let address = stage.address();
        let ends = match duration {
            Some(length) => format!("ends after {} or at Ctrl-C", DurationText(length)),
            None => "ends at Ctrl-C".to_owned(),
        };
        let intro = format!(
            "Switchboard demo: an LLM provider fails, and nobody who calls it notices.\n\
             Two simulated providers, the real gateway, real HTTP, all on this machine;\n\
             {ends}.\n\n\
             gateway    http://{address}/v1, model \"{ROUTE}\"\n\
             chain      {primary}, then {backup}\n\
             dashboard  http://{address}/dashboard\n\
             callers    about 7 requests per second, every other one a stream\n\
             breaker    opens after 3 consecutive failures, for {} at first (default 5s)\n\
             try it     curl http://{address}/v1/chat/completions \\\n\
             \x20 -H 'content-type: application/json' \\\n\
             \x20 -d '{{\"model\":\"{ROUTE}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n",
            DurationText(OPEN_DURATION),
        );
        output.print_line(intro)
    }

    /// Prints what has happened since the last call, and runs the script.
    pub(super) async fn update(&mut self, stage: &Stage, tally: &Tally) -> anyhow::Result<()> {
        let mut transitions = stage.transitions().await?;
        transitions.retain(|transition| transition.epoch > self.last_epoch);
        for transition in &transitions {
            self.print_transition(transition, stage.circuit().as_ref())?;
        }
        self.print_callers(tally)?;
        for ProviderChange { model, broken } in stage.take_changes() {
            if broken {
                let text = format_args!("{model} was broken on the page: HTTP 503 until it is healed there");
                self.print_line("outage", Style::Bad, text)?;
                continue;
            }
            if model == self.primary {
                self.outages.end(stage.primary_calls(), tally.started);
                self.script.heal(self.start.elapsed());
            }
            self.print_line("recovery", Style::Good, format_args!("{model} was healed on the page"))?;
        }
        match self.script.step(self.start.elapsed(), &transitions) {
            Some(Cue::Fail) => {
                self.outages.begin(stage.primary_calls(), tally.started);
                if stage.set_outage(true) {
                    let text = format_args!("{} fails: HTTP 503 for every request", self.primary);
                    self.print_line("outage", Style::Bad, text)?;
                }
            }
            Some(Cue::Recover) => {
                self.outages.end(stage.primary_calls(), tally.started);
                if stage.set_outage(false) {
                    let text = format_args!("{} is healthy again; waiting for the next probe", self.primary);
                    self.print_line("recovery", Style::Good, text)?;
                }
            }
            None => {}
        }
        Ok(())
    }

    /// The counts of the whole demo.
    pub(super) fn counts(&self, stage: &Stage, tally: Tally) -> Counts {
        let mut outages = self.outages;
        outages.end(stage.primary_calls(), tally.started);
        Counts {
            primary: self.primary.clone(),
            backup: self.backup.clone(),
            tally,
            outages,
            probes: self.probes,
            transitions: self.transitions,
        }
    }

    fn print_transition(&mut self, transition: &Transition, circuit: Option<&Report>) -> io::Result<()> {
        self.last_epoch = transition.epoch;
        self.transitions += 1;
        self.probes += usize::from(transition.to == State::HalfOpen);
        // The report of a later state does not describe this transition.
        let circuit = circuit.filter(|circuit| circuit.epoch == transition.epoch);
        let style = match transition.to {
            State::Closed => Style::Good,
            State::Open => Style::Bad,
            State::HalfOpen => Style::Warning,
        };
        self.print_line(transition.to, style, describe(transition, circuit, &self.primary, &self.backup))
    }

    /// Prints which models have answered lately, and whether a request has failed.
    fn print_callers(&mut self, tally: &Tally) -> io::Result<()> {
        let now = self.start.elapsed();
        let failed = tally.failed - self.reported_tally.failed;
        if failed == 0 && now < self.reported_at + CALLERS_INTERVAL {
            return Ok(());
        }
        let since = |model: &ModelKey| {
            let count = |tally: &Tally| tally.answered.get(model.as_str()).copied().unwrap_or(0);
            count(tally) - count(&self.reported_tally)
        };
        let answered = [&self.primary, &self.backup].map(|model| (since(model), model));
        let answered = answered.iter().filter(|(calls, _)| *calls > 0);
        let answered: Vec<_> =
            answered.map(|(calls, model)| format!("{calls} answered by {model}")).collect();
        let (style, failures) = match &tally.last_error {
            Some(error) if failed > 0 => (Style::Bad, format!("{failed} FAILED: {error}")),
            _ => (Style::Faint, "0 failed".to_owned()),
        };
        self.print_line("callers", style, format_args!("{}, {failures}", answered.join(", ")))?;
        self.reported_tally = tally.clone();
        self.reported_at = now;
        Ok(())
    }

    /// Prints an event; what does not fit a line goes on below its beginning.
    fn print_line(&self, label: impl Display, style: Style, text: impl Display) -> io::Result<()> {
        let time = format!("{:>5.1} s", self.start.elapsed().as_secs_f64());
        let time = self.output.paint(Style::Faint, time);
        // Only a string pads, and painted text pads by its visible part.
        let label = self.output.paint(style, label.to_string());
        let lines = fit(&text.to_string());
        self.output
            .print_line(format_args!("{time}  {label:<9}  {}", lines.join(&format!("\n{:INDENT$}", ""))))
    }
}

/// What comes before the text of an event: the time and the label.
const INDENT: usize = 20;

/// All lines are shorter than the narrowest terminal that is usual.
const WIDTH: usize = 77;

/// The lines of a text.
fn fit(text: &str) -> Vec<String> {
    text.lines().flat_map(|line| wrap(line, WIDTH - INDENT)).collect()
}

/// A transition as text.
fn describe(
    transition: &Transition,
    circuit: Option<&Report>,
    primary: &ModelKey,
    backup: &ModelKey,
) -> String {
    let reason = transition.reason.summary();
    let retry_in = circuit.and_then(|circuit| circuit.retry_in_ms).map(Duration::from_millis);
    match (transition.from, transition.to) {
        (State::HalfOpen, State::Open) => {
            let backoff =
                retry_in.map_or_else(String::new, |wait| format!(" to {:.1} s", wait.as_secs_f64()));
            format!("probe failed ({reason}); open again, backing off{backoff}")
        }
        (_, State::Open) => {
            let length =
                retry_in.map_or_else(String::new, |wait| format!(" for {:.1} s", wait.as_secs_f64()));
            let cause = circuit.map_or(reason, |circuit| circuit.explanation.clone());
            let cause = shorten(&cause, WIDTH - INDENT - 2);
            format!("circuit open{length}; failing over to {backup}\n({cause})")
        }
        (_, State::HalfOpen) => format!("sending one probe to {primary}, everything else to {backup}"),
        (_, State::Closed) => format!("probe succeeded; {primary} is back in service"),
    }
}

#[cfg(test)]
mod tests {
    use breaker::{InstanceId, Reason, Timestamp, TransitionCause};

    use super::*;

    #[test]
    fn every_transition_says_where_requests_go() {
        let (primary, backup) = ("a:x".parse().unwrap(), "b:y".parse().unwrap());
        let reason = Reason { status: Some(503), ..Reason::new(TransitionCause::Status) };
        let line = |from, to| {
            let (instance, at) = (InstanceId::new("demo"), Timestamp::NEVER);
            let transition = Transition { from, to, epoch: 1, reason: reason.clone(), instance, at };
            describe(&transition, None, &primary, &backup)
        };
        let lines: Vec<_> = [
            (State::Closed, State::Open),
            (State::Open, State::HalfOpen),
            (State::HalfOpen, State::Open),
            (State::HalfOpen, State::Closed),
        ]
        .map(|(from, to)| line(from, to))
        .into();
        assert_eq!(
            lines,
            [
                "circuit open; failing over to b:y\n(HTTP 503)",
                "sending one probe to a:x, everything else to b:y",
                "probe failed (HTTP 503); open again, backing off",
                "probe succeeded; a:x is back in service",
            ]
        );
    }
}
