//! What the circuits of one instance share: the store, its clock, the policies, and the map of circuits.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::{Arc, Weak, atomic::AtomicBool},
};

use arc_swap::ArcSwap;
use breaker::{Document, InstanceId, ModelKey, Policy};
use foldhash::fast::RandomState;
use tokio::{runtime::Handle, sync::Notify, time::timeout};

use crate::{
    circuit::Circuit,
    clock::StoreClock,
    counts::WriteCounter,
    rng::Rng,
    settings::{Policies, Settings, Timing},
    source::TagKey,
    store::{Store, Value},
    store_health::StoreHealth,
    watchers::Watchers,
};

pub(crate) struct Shared {
    pub(crate) instance: InstanceId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<StoreClock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) tag_key: Arc<TagKey>,
    pub(crate) timing: Timing,
    pub(crate) store_health: StoreHealth,
    pub(crate) runtime: Handle,
    pub(crate) sync_progress: Notify,
    /// Writes are no longer delayed: the process is about to end.
    pub(crate) draining: AtomicBool,
    pub(crate) circuits: ArcSwap<CircuitMap>,
    pub(crate) writes: WriteCounter,
    policies: ArcSwap<Policies>,
    pub(crate) watchers: Watchers,
}

/// Circuits of models that the configuration does not name are kept up to this number. The circuit of one more is read from
/// the store at each call.
const MAX_UNNAMED_CIRCUITS: usize = 1_000;

/// Looked up by every call, so it has a fast hash, with a random seed.
pub(crate) type CircuitMap = HashMap<ModelKey, Arc<Circuit>, RandomState>;

impl Shared {
    pub(crate) fn new(store: Arc<dyn Store>, settings: Settings) -> Self {
        let watchers = Watchers::default();
        Self {
            instance: settings.instance,
            clock: Arc::new(StoreClock::new(settings.clock)),
            rng: settings.rng,
            tag_key: Arc::new(settings.tag_key),
            timing: settings.timing,
            store_health: StoreHealth::new(store.info(), settings.store_optional, watchers.clone()),
            runtime: Handle::current(),
            sync_progress: Notify::new(),
            draining: AtomicBool::new(false),
            circuits: ArcSwap::default(),
            writes: WriteCounter::default(),
            policies: ArcSwap::from_pointee(settings.policies),
            watchers,
            store,
        }
    }

    /// Whether a circuit of this model is to exist before its first call.
    pub(crate) fn is_named(&self, key: &ModelKey) -> bool {
        self.policies.load().names(key)
    }

    /// The models that the policies name.
    pub(crate) fn named_models(&self) -> BTreeSet<ModelKey> {
        let policies = self.policies.load();
        policies.named.iter().flatten().chain(policies.models.keys()).cloned().collect()
    }

    /// The circuit of a key, if it is in the map or has a place there.
    pub(crate) fn circuit_with_place(self: &Arc<Self>, key: &ModelKey) -> Option<Arc<Circuit>> {
        let is_known = self.circuits.load().contains_key(key);
        (is_known || self.has_place(key)).then(|| self.circuit(key))
    }

    /// A circuit outside of the map: of a model of which nothing is known but a name that a client gave.
    pub(crate) fn unplaced_circuit(self: &Arc<Self>, key: &ModelKey) -> Arc<Circuit> {
        self.circuits.load().get(key).map_or_else(|| self.new_circuit(key), Arc::clone)
    }

    /// The circuit that is in the map under this one's key: this one, unless another came first or there is no place.
    pub(crate) fn place(&self, circuit: &Arc<Circuit>) -> Arc<Circuit> {
        if self.has_place(&circuit.key) {
            self.insert(std::slice::from_ref(circuit));
        }
        self.circuits.load().get(&circuit.key).map_or_else(|| Arc::clone(circuit), Arc::clone)
    }

    /// Takes the fleet's secret, or gives it one (B12). Failing that, requests are tagged under a secret of this instance's
    /// own: a request that two instances see then counts as two.
    pub(crate) async fn share_tag_key(&self) {
        let shared = timeout(self.timing.store_timeout, self.store.share_secret(self.tag_key.secret())).await;
        if let Ok(Ok(secret)) = shared {
            self.tag_key.replace(secret);
        }
    }

    /// Whether a value that was found under this key is a circuit.
    pub(crate) fn is_circuit(&self, key: &ModelKey, value: &Value) -> bool {
        match value {
            Value::Text(text) => Document::parse(text, &self.policy(key)) != Document::Invalid,
            Value::Absent | Value::Oversized { .. } | Value::WrongType(_) => false,
        }
    }

    fn has_place(&self, key: &ModelKey) -> bool {
        self.is_named(key) || self.places_left() > 0
    }

    /// How many more circuits of unnamed models are kept.
    fn places_left(&self) -> usize {
        let named = self.policies.load().named.as_ref().map_or(usize::MAX, HashSet::len);
        named.saturating_add(MAX_UNNAMED_CIRCUITS).saturating_sub(self.circuits.load().len())
    }

    /// Leaves out the keys that have no place in the map.
    pub(crate) fn retain_with_place<T>(&self, keys: &mut Vec<(ModelKey, T)>) {
        let (known, mut places) = (self.circuits.load(), self.places_left());
        keys.retain(|(key, _)| {
            if known.contains_key(key) || self.is_named(key) {
                return true;
            }
            let has_place = places > 0;
            places = places.saturating_sub(1);
            has_place
        });
    }

    /// The circuit of a key; one that is not known yet is created here, and read before its first call.
    pub(crate) fn circuit(self: &Arc<Self>, key: &ModelKey) -> Arc<Circuit> {
        if let Some(circuit) = self.circuits.load().get(key) {
            return Arc::clone(circuit);
        }
        let fresh = self.new_circuit(key);
        self.insert(std::slice::from_ref(&fresh));
        self.circuits.load().get(key).map_or(fresh, Arc::clone)
    }

    /// Creates those of these circuits that are not known yet, in one edit: each edit copies the map.
    pub(crate) fn ensure_circuits<'a>(self: &Arc<Self>, keys: impl Iterator<Item = &'a ModelKey>) {
        let known = self.circuits.load();
        let fresh: Vec<_> =
            keys.filter(|key| !known.contains_key(*key)).map(|key| self.new_circuit(key)).collect();
        if !fresh.is_empty() {
            self.insert(&fresh);
        }
    }

    fn new_circuit(self: &Arc<Self>, key: &ModelKey) -> Arc<Circuit> {
        let writer: Weak<Self> = Arc::downgrade(self);
        Arc::new(Circuit::new(
            key.clone(),
            self.policy(key),
            writer,
            self.instance.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.tag_key),
            self.watchers.clone(),
        ))
    }

    fn insert(&self, fresh: &[Arc<Circuit>]) {
        self.edit_circuits(|circuits| {
            for circuit in fresh {
                circuits.entry(circuit.key.clone()).or_insert_with(|| Arc::clone(circuit));
            }
        });
        // The policies may have changed before the circuit was in the map.
        for circuit in fresh {
            circuit.set_policy(self.policy(&circuit.key));
        }
    }

    /// Replaces the map by an edited copy: circuits rarely come and go, but every call looks one up.
    pub(crate) fn edit_circuits(&self, edit: impl Fn(&mut CircuitMap)) {
        self.circuits.rcu(|circuits| {
            let mut circuits = CircuitMap::clone(circuits);
            edit(&mut circuits);
            circuits
        });
    }

    pub(crate) fn set_policies(&self, policies: Policies) {
        self.policies.store(Arc::new(policies));
        for circuit in self.circuits.load().values() {
            circuit.set_policy(self.policy(&circuit.key));
        }
    }

    pub(crate) fn policy(&self, key: &ModelKey) -> Arc<Policy> {
        let policies = self.policies.load();
        Arc::new(policies.models.get(key).unwrap_or(&policies.default).clone())
    }

    /// All circuits by name, so that what is done to all is done in the same order each time.
    pub(crate) fn sorted_circuits(&self) -> Vec<Arc<Circuit>> {
        let mut circuits: Vec<_> = self.circuits.load().values().cloned().collect();
        circuits.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        circuits
    }

    /// A random number in [0, 1).
    pub(crate) fn random_unit(&self) -> f64 {
        let bits = u32::try_from(self.rng.next_u128() & u128::from(u32::MAX)).unwrap_or(0);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("instance", &self.instance)
            .field("store", &self.store.info())
            .finish_non_exhaustive()
    }
}
