//! What one instance knows of one circuit: what the store holds, and the record to decide by.

use breaker::{
    Context, Document, External, ExternalChange, Extras, KnownBefore, Phase, Policy, Record, Transition,
    adopt, merge, next_epoch, restore,
};

use crate::store::{HistoryTail, Loaded, Value, Write};

/// What the store holds, as far as is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StoredValue {
    /// Not read yet.
    NotLoaded,
    /// Nothing.
    Absent,
    /// A record written by Switchboard.
    Native(Record),
    /// A value that Open SWE or an operator wrote, not adopted yet.
    External(External),
    /// A text that is not a circuit.
    Invalid,
    /// A key of another type, which is never overwritten: this circuit uses local state.
    WrongType,
}

/// What the store is to hold after a decision. It is defined beside [`StoredValue`], so that plans use mirrors and not the
/// other way round.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// What it holds already.
    Unchanged,
    /// This record.
    Put(Box<Record>),
    /// Nothing; the last epoch was this.
    Delete(u64),
}

/// One circuit as an instance knows it.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    /// The bytes in the store, as they were last seen.
    pub(crate) value: Value,
    /// What they mean.
    pub(crate) stored: StoredValue,
    /// Where the circuit's history ends, as far as is known.
    pub(crate) history_tail: HistoryTail,
    /// Unknown fields, which are written back.
    pub(crate) extras: Extras,
    /// What decisions are made from.
    pub(crate) record: Record,
    /// The last record in an epoch of its own, which the next epoch follows.
    pub(crate) last_record: Record,
    /// `record` has changes that the store lacks: they were made while the store was unreachable.
    pub(crate) diverged: bool,
}

/// What a plan starts from: a record, and the transition that led to it, if the history lacks it. `None`: there is no such
/// circuit.
pub(crate) type Baseline = Option<(Record, Option<Transition>)>;

impl Mirror {
    pub(crate) fn not_loaded() -> Self {
        Self {
            value: Value::Absent,
            stored: StoredValue::NotLoaded,
            history_tail: HistoryTail::NotLoaded,
            extras: Extras::default(),
            record: Record::closed(0),
            last_record: Record::closed(0),
            diverged: false,
        }
    }

    /// Whether decisions can be made from it.
    pub(crate) fn is_loaded(&self) -> bool {
        self.diverged
            || !matches!(self.stored, StoredValue::NotLoaded | StoredValue::Absent)
            || self.is_store_data_lost()
    }

    /// The store has lost a circuit that is to be protected (F5): both the circuit and its history are gone, or an instance
    /// that did not know it has begun it again without a history.
    pub(crate) fn is_store_data_lost(&self) -> bool {
        let gone = match &self.stored {
            StoredValue::Absent => true,
            StoredValue::Native(found) => {
                matches!(found.phase, Phase::Closed) && found.epoch != self.last_record.epoch
            }
            _ => false,
        };
        gone && self.history_tail == HistoryTail::Absent && !matches!(self.last_record.phase, Phase::Closed)
    }

    /// Whether the meaning of this value depends on the history: for a circuit that is or was to be protected, for one that
    /// is gone, and for a value that was written externally, which is recorded as a transition from the end of the history.
    pub(crate) fn needs_history(&self, value: &Value, policy: &Policy) -> bool {
        let is_current = match value {
            Value::Text(text) => matches!(
                Document::parse(text, policy),
                Document::Native(record, _) if matches!(record.phase, Phase::Closed)
                    && record.epoch >= self.known_epoch()
            ),
            Value::Absent | Value::Oversized { .. } | Value::WrongType(_) => false,
        };
        !is_current || self.diverged || !matches!(self.last_record.phase, Phase::Closed)
    }

    /// Whether something is to be written to the store, even if nothing happens.
    pub(crate) fn is_dirty(&self) -> bool {
        match self.stored {
            StoredValue::External(_) => true,
            StoredValue::WrongType | StoredValue::NotLoaded => false,
            _ => self.diverged || self.is_store_data_lost(),
        }
    }

    /// Applies what was read.
    pub(crate) fn apply_loaded(&mut self, loaded: &Loaded, policy: &Policy) {
        self.value = loaded.value.clone();
        self.history_tail = loaded.history_tail;
        self.stored = match &loaded.value {
            Value::Absent => StoredValue::Absent,
            Value::WrongType(_) => StoredValue::WrongType,
            Value::Oversized { .. } => StoredValue::Invalid,
            Value::Text(text) => match Document::parse(text, policy) {
                Document::Native(record, extras) if record.epoch >= self.history_tail.epoch() => {
                    self.extras = extras;
                    StoredValue::Native(record)
                }
                // Older than the end of the history, so it was written back: an Open SWE instance read it before the
                // transition, and wrote it after.
                Document::Native(..) => match Document::parse_as_external(text, policy) {
                    Document::External(external, extras) => {
                        self.extras = extras;
                        StoredValue::External(external)
                    }
                    Document::Native(..) | Document::Invalid => StoredValue::Invalid,
                },
                Document::External(external, extras) => {
                    self.extras = extras;
                    StoredValue::External(external)
                }
                Document::Invalid => {
                    self.extras = Extras::default();
                    StoredValue::Invalid
                }
            },
        };
        if self.diverged || self.is_store_data_lost() {
            return;
        }
        match &self.stored {
            StoredValue::Native(record) => {
                self.record = record.clone();
                self.last_record = record.clone();
            }
            // Obeyed immediately, adopted as soon as possible. Where the state has changed, outcomes in between belong to no
            // epoch.
            StoredValue::External(external) => {
                self.record = match external.change(self.known_before(), policy, loaded.time) {
                    ExternalChange::Counts(record) => record,
                    ExternalChange::State(record) => Record { epoch: 0, ..record },
                };
            }
            // In an epoch of its own, so that earlier outcomes are stale (B4).
            StoredValue::Invalid => {
                self.record = Record::closed(self.known_epoch().saturating_add(1));
            }
            StoredValue::NotLoaded | StoredValue::Absent | StoredValue::WrongType => {}
        }
    }

    /// The last epoch that is known, also from the history and from this instance's own record: calls were admitted while
    /// the value was invalid.
    pub(crate) fn last_epoch(&self) -> u64 {
        self.known_epoch().max(self.record.epoch)
    }

    /// What an external value is compared with. What was changed locally is not what it replaced.
    fn known_before(&self) -> KnownBefore<'_> {
        let state = self.history_tail.state();
        KnownBefore {
            record: Some(&self.last_record).filter(|_| !self.diverged),
            last_epoch: self.known_epoch(),
            history_tail: state.map(|state| (state, self.history_tail.epoch())),
        }
    }

    /// The last epoch of a record or of the history.
    fn known_epoch(&self) -> u64 {
        self.last_record.epoch.max(self.history_tail.epoch())
    }

    /// The store has executed the write.
    pub(crate) fn mark_written(&mut self, target: &Target, write: &Write) {
        match target {
            Target::Unchanged => {}
            Target::Put(record) => {
                let value = write.new_value.clone().map_or(Value::Absent, Value::Text);
                self.set_stored(value, Record::clone(record));
            }
            Target::Delete(epoch) => self.set_absent(*epoch),
        }
        if let Some(last) = write.entries.last() {
            self.history_tail = HistoryTail::from_last(Some(last));
        }
    }

    /// There is nothing to write: the value in the store becomes the record to decide by. Whether there is such a value.
    pub(crate) fn mark_synced(&mut self) -> bool {
        match self.stored.clone() {
            StoredValue::Native(record) => self.set_stored(self.value.clone(), record),
            StoredValue::Absent => self.set_absent(self.last_record.epoch),
            StoredValue::NotLoaded
            | StoredValue::External(_)
            | StoredValue::Invalid
            | StoredValue::WrongType => return false,
        }
        true
    }

    /// Continues with a decision that could not be written. Whether it changes anything.
    pub(crate) fn apply_locally(&mut self, target: &Target) -> bool {
        match target {
            Target::Put(record) if **record != self.record || !self.is_loaded() => {
                self.diverged = true;
                self.last_record = Record::clone(record);
                self.record = Record::clone(record);
            }
            Target::Put(_) | Target::Unchanged => return false,
            Target::Delete(epoch) => self.set_absent(*epoch),
        }
        true
    }

    fn set_stored(&mut self, value: Value, record: Record) {
        self.value = value;
        self.diverged = false;
        self.stored = StoredValue::Native(record.clone());
        self.last_record = record.clone();
        self.record = record;
    }

    fn set_absent(&mut self, last_epoch: u64) {
        self.value = Value::Absent;
        self.diverged = false;
        self.stored = StoredValue::Absent;
        self.record = Record::closed(last_epoch);
        self.last_record = Record::closed(last_epoch);
    }

    /// The clock that dated the local changes has turned out to be this many ms behind.
    pub(crate) fn shift_local_times(&mut self, millis: i64) {
        if self.diverged {
            self.record = self.record.shifted_by(millis);
            self.last_record = self.record.clone();
        }
    }

    /// What to decide from while the store is reachable.
    pub(crate) fn baseline(&self, context: Context<'_>) -> Baseline {
        match &self.stored {
            StoredValue::External(external) => {
                let (found, transition) = adopt(external, self.known_before(), context);
                if self.diverged && transition.is_none() {
                    let step = merge(&self.record, &found, context);
                    return Some((step.record, step.transition));
                }
                Some((found, transition))
            }
            StoredValue::NotLoaded | StoredValue::Absent => self.baseline_without_value(context),
            StoredValue::Native(found) if self.diverged => {
                let step = merge(&self.record, found, context);
                Some((step.record, step.transition))
            }
            StoredValue::Native(found) if self.is_store_data_lost() => {
                match restore(&self.last_record, Some(found), context) {
                    Some(step) => Some((step.record, step.transition)),
                    None => Some((found.clone(), None)),
                }
            }
            StoredValue::Native(found) => Some((found.clone(), None)),
            StoredValue::Invalid | StoredValue::WrongType => self.local_baseline(),
        }
    }

    /// What to decide from while the store is unreachable.
    pub(crate) fn local_baseline(&self) -> Baseline {
        match self.stored {
            StoredValue::NotLoaded | StoredValue::Absent if !self.is_loaded() => None,
            _ => Some((self.record.clone(), None)),
        }
    }

    /// A key that is gone while its history still exists was deleted: a reset, also for instances that were disconnected
    /// (F5).
    fn baseline_without_value(&self, context: Context<'_>) -> Baseline {
        if self.history_tail.state().is_some() {
            return None;
        }
        match restore(&self.last_record, None, context) {
            Some(step) => Some((step.record, step.transition)),
            // The local changes begin the circuit; that it can be written shows that the store is back.
            None if self.diverged => {
                let epoch = next_epoch(self.record.epoch, context.now);
                let origin_epoch = Some(self.record.recency());
                Some((Record { epoch, origin_epoch, ..self.record.clone() }, None))
            }
            None => None,
        }
    }
}
