//! What is told while it happens: a line for each thing that a person should see.

use std::{fmt::Display, io, time::Duration};

use breaker::{ModelKey, State, Transition};
use circuits::Report;
use tokio::time::Instant;

use super::{
    callers::Tally,
    counts::{Counts, Outages},
    script::{Cue, Script},
    stage::{OPEN_DURATION, ROUTE, Stage},
};
use crate::{
    config::DurationText,
    output::{Output, Style},
};

/// The callers are heard so often.
const CALLERS_INTERVAL: Duration = Duration::from_secs(2);

/// The teller.
#[derive(Debug)]
pub(super) struct Story {
    output: Output,
    began: Instant,
    script: Script,
    primary: ModelKey,
    backup: ModelKey,
    /// The epoch of the last transition that was told.
    last_epoch: u64,
    transitions: usize,
    probes: usize,
    outages: Outages,
    /// What the callers had got when they were heard last, and when that was.
    reported_tally: Tally,
    reported_at: Duration,
}

impl Story {
    /// Says what there is to see.
    pub(super) fn begin(output: Output, duration: Option<Duration>, stage: &Stage) -> io::Result<Self> {
        let story = Self {
            output,
            began: Instant::now(),
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
        story.print_line("all well", Style::Good, format_args!("{} answers every call", story.primary))?;
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
             Two simulated providers, the real gateway, real HTTP, all on this machine; {ends}.\n\n\
             gateway  http://{address}/v1, model \"{ROUTE}\": {primary} answers, or else {backup}\n\
             page     http://{address}/dashboard\n\
             callers  about 7 calls a second, every other one a stream\n\
             breaker  opens after 3 failures in a row, for {} at first (usually 5s; shortened for the demo)\n\
             try it   curl http://{address}/v1/chat/completions -H 'content-type: application/json' \\\n\
             {:11}-d '{{\"model\":\"{ROUTE}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n",
            DurationText(OPEN_DURATION),
            ""
        );
        output.print_line(intro)
    }

    /// Tells what has happened since the last look, and does what the script says.
    pub(super) async fn update(&mut self, stage: &Stage, tally: &Tally) -> anyhow::Result<()> {
        let mut transitions = stage.transitions().await?;
        transitions.retain(|transition| transition.epoch > self.last_epoch);
        for transition in &transitions {
            self.print_transition(transition, stage.circuit().as_ref())?;
        }
        self.print_callers(tally)?;
        match self.script.step(self.began.elapsed(), &transitions) {
            Some(Cue::Fail) => {
                self.outages.begin(stage.primary_calls(), tally.started);
                stage.fail();
                let text = format_args!("{} fails from now on: HTTP 503 to every call", self.primary);
                self.print_line("outage", Style::Bad, text)?;
            }
            Some(Cue::Recover) => {
                self.outages.end(stage.primary_calls(), tally.started);
                stage.recover();
                let text = format_args!("{} would answer again; the next probe will find out", self.primary);
                self.print_line("recovery", Style::Good, text)?;
            }
            None => {}
        }
        Ok(())
    }

    /// What there was in all.
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
        // Of a state that is over already no more is known than its reason.
        let circuit = circuit.filter(|circuit| circuit.epoch == transition.epoch);
        let style = match transition.to {
            State::Closed => Style::Good,
            State::Open => Style::Bad,
            State::HalfOpen => Style::Warning,
        };
        self.print_line(transition.to, style, describe(transition, circuit, &self.primary, &self.backup))
    }

    /// Who has answered the callers lately, and whether any call was lost.
    fn print_callers(&mut self, tally: &Tally) -> io::Result<()> {
        let now = self.began.elapsed();
        let lost = tally.lost - self.reported_tally.lost;
        if lost == 0 && now < self.reported_at + CALLERS_INTERVAL {
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
        let (style, loss) = match &tally.last_loss {
            Some(reason) if lost > 0 => (Style::Bad, format!("{lost} LOST: {reason}")),
            _ => (Style::Faint, "none lost".to_owned()),
        };
        self.print_line("callers", style, format_args!("{}, {loss}", answered.join(", ")))?;
        self.reported_tally = tally.clone();
        self.reported_at = now;
        Ok(())
    }

    fn print_line(&self, label: impl Display, style: Style, text: impl Display) -> io::Result<()> {
        let at = format!("{:>6.1} s", self.began.elapsed().as_secs_f64());
        let at = self.output.paint(Style::Faint, at);
        // Painted, a label pads by its text alone; only a text knows how to pad.
        let label = self.output.paint(style, label.to_string());
        self.output.print_line(format_args!("{at}  {label:<9}  {text}"))
    }
}

/// A transition as a person understands it.
fn describe(
    transition: &Transition,
    circuit: Option<&Report>,
    primary: &ModelKey,
    backup: &ModelKey,
) -> String {
    let reason = transition.reason.summary();
    let length = circuit.and_then(|circuit| circuit.retry_in_ms);
    let length = length
        .map_or_else(String::new, |ms| format!(" for {:.1} s", Duration::from_millis(ms).as_secs_f64()));
    match (transition.from, transition.to) {
        (State::HalfOpen, State::Open) => {
            format!("the probe failed, {reason}: {primary} is left alone again{length}, longer than before")
        }
        (_, State::Open) => {
            let why = circuit.map_or(reason, |circuit| circuit.explanation.clone());
            format!("{why}: {primary} is called no more{length}, {backup} answers at once")
        }
        (_, State::HalfOpen) => {
            format!("the time is over: one call goes to {primary} as a probe, all others to {backup}")
        }
        (_, State::Closed) => format!("the probe succeeded: {primary} is well and answers again"),
    }
}

#[cfg(test)]
mod tests {
    use breaker::{InstanceId, Reason, Timestamp, TransitionCause};

    use super::*;

    #[test]
    fn each_transition_says_who_answers_now() {
        let (primary, backup) = ("a:x".parse().unwrap(), "b:y".parse().unwrap());
        let reason = Reason { status: Some(503), ..Reason::new(TransitionCause::Status) };
        let told = |from, to| {
            let (instance, at) = (InstanceId::new("demo"), Timestamp::NEVER);
            let transition = Transition { from, to, epoch: 1, reason: reason.clone(), instance, at };
            describe(&transition, None, &primary, &backup)
        };
        let told: Vec<_> = [
            (State::Closed, State::Open),
            (State::Open, State::HalfOpen),
            (State::HalfOpen, State::Open),
            (State::HalfOpen, State::Closed),
        ]
        .map(|(from, to)| told(from, to))
        .into();
        assert_eq!(
            told,
            [
                "HTTP 503: a:x is called no more, b:y answers at once",
                "the time is over: one call goes to a:x as a probe, all others to b:y",
                "the probe failed, HTTP 503: a:x is left alone again, longer than before",
                "the probe succeeded: a:x is well and answers again",
            ]
        );
    }
}
