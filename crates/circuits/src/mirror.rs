//! What one instance knows of one circuit: what stands in the store, and what it decides by.

use breaker::{
    Context, Document, Extras, Phase, Policy, Record, State, Transition, adopt, merge, next_epoch, restore,
};

use crate::{
    plan::{Next, Plan},
    store::{History, Loaded, Value, Write},
};

/// What stands in the store, as far as is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stored {
    /// It was not read yet.
    Unknown,
    /// Nothing.
    Absent,
    /// A record of Switchboard's.
    Ours(Record),
    /// A value that Open SWE or a person wrote, not adopted yet.
    Foreign(Record),
    /// A text that is no circuit.
    Garbage,
    /// A key of another type, which is left alone: this circuit runs on local state.
    OtherType,
}

/// One circuit as an instance knows it.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    /// The bytes that stand in the store, as they were last seen.
    pub(crate) value: Value,
    /// What they mean.
    pub(crate) stored: Stored,
    /// Where the circuit's history ends, as far as is known.
    pub(crate) history: History,
    /// Fields that are carried along.
    pub(crate) extras: Extras,
    /// What decisions are made from.
    pub(crate) record: Record,
    /// The last record in an epoch of its own, from which the next epoch goes on.
    pub(crate) last: Record,
    /// `record` holds what the store does not: it was learnt while the store was away.
    pub(crate) apart: bool,
}

/// What a plan starts from: a record, and what the history is to tell of how it came to be. `None`: there is no such
/// circuit.
pub(crate) type Base = Option<(Record, Option<Transition>)>;

impl Mirror {
    pub(crate) fn unknown() -> Self {
        Self {
            value: Value::Absent,
            stored: Stored::Unknown,
            history: History::Unread,
            extras: Extras::default(),
            record: Record::closed(0),
            last: Record::closed(0),
            apart: false,
        }
    }

    /// Whether decisions can be made from it.
    pub(crate) fn is_known(&self) -> bool {
        self.apart || !matches!(self.stored, Stored::Unknown | Stored::Absent) || self.is_lost()
    }

    /// The store has lost a circuit that is to be protected (F5): both the circuit and its history are gone, or it
    /// was begun anew without a history, by somebody who did not know.
    pub(crate) fn is_lost(&self) -> bool {
        let gone = match &self.stored {
            Stored::Absent => true,
            Stored::Ours(found) => matches!(found.phase, Phase::Closed) && found.epoch != self.last.epoch,
            _ => false,
        };
        gone && self.history == History::Absent && !matches!(self.last.phase, Phase::Closed)
    }

    /// Whether it depends on the history what this value means: of a circuit that is or was to be protected, of one that
    /// is gone, and of what somebody else wrote or brought back, which is told of as a change of what the history ends in.
    pub(crate) fn depends_on_history(&self, value: &Value, policy: &Policy) -> bool {
        let ours = match value {
            Value::Text(text) => matches!(
                Document::parse(text, policy),
                Document::Ours(record, _) if matches!(record.phase, Phase::Closed)
                    && record.epoch >= self.told_epoch()
            ),
            Value::Absent | Value::Oversized { .. } | Value::OtherType(_) => false,
        };
        !ours || self.apart || !matches!(self.last.phase, Phase::Closed)
    }

    /// Whether the store is to be told something, even if nothing happens.
    pub(crate) fn owes_a_write(&self) -> bool {
        match self.stored {
            Stored::Foreign(_) => true,
            Stored::OtherType | Stored::Unknown => false,
            _ => self.apart || self.is_lost(),
        }
    }

    /// Takes up what was read.
    pub(crate) fn take_up(&mut self, loaded: &Loaded, policy: &Policy) {
        self.value = loaded.value.clone();
        self.history = loaded.history;
        self.stored = match &loaded.value {
            Value::Absent => Stored::Absent,
            Value::OtherType(_) => Stored::OtherType,
            Value::Oversized { .. } => Stored::Garbage,
            Value::Text(text) => match Document::parse(text, policy) {
                Document::Ours(record, extras) if record.epoch >= self.history.epoch() => {
                    self.extras = extras;
                    Stored::Ours(record)
                }
                // Of before what the history ends in, so somebody has brought it back: an Open SWE instance had read
                // it before the change, and writes in a second step.
                Document::Ours(..) => match Document::parse_unsealed(text, policy) {
                    Document::Foreign(record, extras) => {
                        self.extras = extras;
                        Stored::Foreign(record)
                    }
                    Document::Ours(..) | Document::Garbage => Stored::Garbage,
                },
                Document::Foreign(record, extras) => {
                    self.extras = extras;
                    Stored::Foreign(record)
                }
                Document::Garbage => {
                    self.extras = Extras::default();
                    Stored::Garbage
                }
            },
        };
        if self.apart || self.is_lost() {
            return;
        }
        match &self.stored {
            Stored::Ours(record) => {
                self.record = record.clone();
                self.last = record.clone();
            }
            // Obeyed at once, adopted as soon as it can be; outcomes of the meantime belong to no epoch.
            Stored::Foreign(record) => self.record = Record { epoch: 0, ..record.clone() },
            // In an epoch of its own, so that outcomes of before the text are void (B4).
            Stored::Garbage => {
                self.record = Record::closed(self.told_epoch().saturating_add(1));
            }
            Stored::Unknown | Stored::Absent | Stored::OtherType => {}
        }
    }

    /// The last epoch that is known of, also from the history alone, and from what this instance alone had: calls were
    /// admitted in the place of a text that was no circuit.
    pub(crate) fn last_epoch(&self) -> u64 {
        self.told_epoch().max(self.record.epoch)
    }

    /// The last epoch that a record or the history told of.
    fn told_epoch(&self) -> u64 {
        self.last.epoch.max(self.history.epoch())
    }

    /// The store has done what was planned.
    pub(crate) fn written(&mut self, plan: &Plan, write: &Write) {
        match &plan.next {
            Next::Same => {}
            Next::Record(record) => {
                let value = write.next.clone().map_or(Value::Absent, Value::Text);
                self.holds(value, Record::clone(record));
            }
            Next::Nothing(epoch) => self.holds_nothing(*epoch),
        }
        if let Some(last) = write.entries.last() {
            self.history = History::ending(Some(last));
        }
    }

    /// There is nothing to write: what stands in the store is what is to be gone by. Whether that could be done.
    pub(crate) fn in_step(&mut self) -> bool {
        match self.stored.clone() {
            Stored::Ours(record) => self.holds(self.value.clone(), record),
            Stored::Absent => self.holds_nothing(self.last.epoch),
            Stored::Unknown | Stored::Foreign(_) | Stored::Garbage | Stored::OtherType => return false,
        }
        true
    }

    /// Goes on with what could not be written. Whether that is anything new.
    pub(crate) fn go_apart(&mut self, plan: &Plan) -> bool {
        match &plan.next {
            Next::Record(record) if **record != self.record || !self.is_known() => {
                self.apart = true;
                self.last = Record::clone(record);
                self.record = Record::clone(record);
            }
            Next::Record(_) | Next::Same => return false,
            Next::Nothing(epoch) => self.holds_nothing(*epoch),
        }
        true
    }

    fn holds(&mut self, value: Value, record: Record) {
        self.value = value;
        self.apart = false;
        self.stored = Stored::Ours(record.clone());
        self.last = record.clone();
        self.record = record;
    }

    fn holds_nothing(&mut self, last_epoch: u64) {
        self.value = Value::Absent;
        self.apart = false;
        self.stored = Stored::Absent;
        self.record = Record::closed(last_epoch);
        self.last = Record::closed(last_epoch);
    }

    /// The clock by which this was learnt has turned out to be so many ms behind.
    pub(crate) fn move_apart(&mut self, millis: i64) {
        if self.apart {
            self.record = self.record.moved(millis);
            self.last = self.record.clone();
        }
    }

    /// What to go on from, with the store at hand.
    pub(crate) fn base(&self, context: Context<'_>) -> Base {
        match &self.stored {
            Stored::Foreign(foreign) => {
                let foreign = Record { epoch: foreign.epoch.max(self.history.epoch()), ..foreign.clone() };
                let (record, transition) = adopt(&foreign, Some(&self.last), context);
                // The history goes on from where it ended (B11), whatever this instance has missed or learnt alone.
                let from = self.history.state().unwrap_or(State::Closed);
                Some((record, Some(Transition { from, ..transition })))
            }
            Stored::Unknown | Stored::Absent => self.base_without_value(context),
            Stored::Ours(found) if self.apart => {
                let step = merge(&self.record, found, context);
                Some((step.record, step.transition))
            }
            Stored::Ours(found) if self.is_lost() => match restore(&self.last, Some(found), context) {
                Some(step) => Some((step.record, step.transition)),
                None => Some((found.clone(), None)),
            },
            Stored::Ours(found) => Some((found.clone(), None)),
            Stored::Garbage | Stored::OtherType => self.local_base(),
        }
    }

    /// What to go on from while the store is away.
    pub(crate) fn local_base(&self) -> Base {
        match self.stored {
            Stored::Unknown | Stored::Absent if !self.is_known() => None,
            _ => Some((self.record.clone(), None)),
        }
    }

    /// A key that is gone while its history stands was deleted: a reset, also for those who were away (F5).
    fn base_without_value(&self, context: Context<'_>) -> Base {
        if self.history.state().is_some() {
            return None;
        }
        match restore(&self.last, None, context) {
            Some(step) => Some((step.record, step.transition)),
            // What was learnt meanwhile begins the circuit; that it can be written shows that the store is back.
            None if self.apart => {
                let epoch = next_epoch(self.record.epoch, context.now);
                let learnt_in = Some(self.record.newness());
                Some((Record { epoch, learnt_in, ..self.record.clone() }, None))
            }
            None => None,
        }
    }
}
