//! An instance that cannot connect to the provider while others may (F7).

use super::{Change, open::period};
use crate::{Context, InstanceId, Timestamp, record::CutOff};

impl Change<'_> {
    pub(super) fn count_cut_off(&mut self, at: Timestamp) {
        let me = self.context.instance;
        if let Some(held) = self.record.cut_off.iter_mut().find(|held| held.instance == *me) {
            held.failures = held.failures.saturating_add(1);
            held.last = held.last.max(at);
        } else {
            let first = CutOff {
                instance: me.clone(),
                failures: 1,
                since: at,
                last: at,
                until: Timestamp::NEVER,
                trips: 0,
            };
            self.record.cut_off.push(first);
        }
    }

    /// This instance got an answer, so its network is well.
    pub(super) fn connected(&mut self) {
        let me = self.context.instance;
        self.record.cut_off.retain(|held| held.instance != *me);
    }

    pub(super) fn hold(&mut self, instance: &InstanceId, at: Timestamp) {
        let Context { policy, .. } = self.context;
        let epoch = self.record.epoch;
        if let Some(held) = self.record.cut_off.iter_mut().find(|held| held.instance == *instance) {
            held.trips = held.trips.saturating_add(1);
            held.until = held.until.max(at + period(policy, held.trips, epoch));
        }
    }
}
