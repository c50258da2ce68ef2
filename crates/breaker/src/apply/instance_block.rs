//! An instance that cannot connect to the provider while others may (F7).

use super::{RecordUpdate, open::open_period};
use crate::{Context, InstanceId, Timestamp, record::InstanceBlock};

impl RecordUpdate<'_> {
    pub(super) fn count_connection_failure(&mut self, at: Timestamp) {
        let instance = self.context.instance;
        if let Some(block) =
            self.record.blocked_instances.iter_mut().find(|block| block.instance == *instance)
        {
            block.failures = block.failures.saturating_add(1);
            block.last = block.last.max(at);
        } else {
            let first = InstanceBlock {
                instance: instance.clone(),
                failures: 1,
                since: at,
                last: at,
                until: Timestamp::NEVER,
                trips: 0,
            };
            self.record.blocked_instances.push(first);
        }
    }

    /// This instance got a response, so its network works.
    pub(super) fn clear_instance_block(&mut self) {
        let instance = self.context.instance;
        self.record.blocked_instances.retain(|block| block.instance != *instance);
    }

    pub(super) fn block_instance(&mut self, instance: &InstanceId, at: Timestamp) {
        let Context { policy, .. } = self.context;
        let epoch = self.record.epoch;
        if let Some(block) =
            self.record.blocked_instances.iter_mut().find(|block| block.instance == *instance)
        {
            block.trips = block.trips.saturating_add(1);
            block.until = block.until.max(at + open_period(policy, block.trips, epoch));
        }
    }
}
