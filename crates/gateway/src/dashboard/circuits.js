// The state of the page: circuits, transitions, store. No DOM, no network.

export const HOUR = 3600_000;

// The transitions that are kept for each circuit.
const MAX_TRANSITIONS = 500;

export class CircuitState {
  store = null;
  // The instance that serves this page.
  instance = "";
  // Time to first token by model, in ms, as measured by this instance.
  latency = {};
  #reports = new Map();
  // By model, newest first.
  #transitions = new Map();
  // When each report arrived, by this page's clock.
  #receivedAt = new Map();
  // The store's clock minus this page's, in ms.
  #clockOffset = 0;

  // The store's time.
  now() {
    return Date.now() + this.#clockOffset;
  }

  // Replaces everything. `requestedAt`: a report that arrived after the request is newer than its response.
  applySnapshot(snapshot, requestedAt = Infinity) {
    this.#clockOffset = snapshot.now - Date.now();
    this.store = snapshot.store;
    this.instance = snapshot.instance;
    this.latency = snapshot.latency;
    const isOlder = (key) => (this.#receivedAt.get(key) ?? 0) < requestedAt;
    const present = new Set(snapshot.circuits.map((report) => report.key));
    for (const key of [...this.#reports.keys()]) {
      if (!present.has(key) && isOlder(key)) this.#reports.delete(key);
    }
    for (const report of snapshot.circuits) if (isOlder(report.key)) this.#reports.set(report.key, report);
  }

  // One circuit has changed, or was deleted.
  applyCircuit({ key, report, transition }) {
    this.#receivedAt.set(key, Date.now());
    if (report) this.#reports.set(key, report);
    else this.#reports.delete(key);
    if (transition) this.addTransitions(key, [transition]);
  }

  addTransitions(key, transitions) {
    const all = [...transitions, ...this.transitions(key)];
    const unique = new Map(all.map((transition) => [transition.epoch, transition]));
    const sorted = [...unique.values()].sort((a, b) => b.epoch - a.epoch);
    this.#transitions.set(key, sorted.slice(0, MAX_TRANSITIONS));
  }

  transitions(key) {
    return this.#transitions.get(key) ?? [];
  }

  report(key) {
    return this.#reports.get(key);
  }

  // Transitions of the last hour, newest first, each with its model.
  lastHour() {
    const from = this.now() - HOUR;
    const all = [...this.#transitions].flatMap(([key, transitions]) =>
      transitions.filter(({ at }) => at >= from).map((transition) => ({ key, ...transition })));
    return all.sort((a, b) => b.at - a.at || b.epoch - a.epoch);
  }

  // The circuits whose transitions of the last hour are not loaded.
  missingHistories() {
    const from = this.now() - HOUR;
    return [...this.#reports.values()]
      .filter(({ key, since, epoch }) => since >= from && (this.transitions(key)[0]?.epoch ?? 0) < epoch)
      .map(({ key, epoch }) => ({ key, epoch }));
  }

  // Most severe first. Within a rank by name, so that rows do not move while someone clicks.
  circuits() {
    return [...this.#reports.values()].sort((a, b) => rank(a) - rank(b) || (a.key < b.key ? -1 : 1));
  }

  // Whether the open period of a circuit has ended: no event says so, and only the gateway knows the new state.
  isProbeDue() {
    const now = this.now();
    return [...this.#reports.values()].some(({ state, retryAt }) => state === "OPEN" && retryAt <= now);
  }
}

export const isUnavailable = (report) => report.state !== "CLOSED";

function rank(report) {
  if (report.state === "OPEN") return report.forced ? 1 : 0;
  // As severe as open, until a probe has succeeded.
  if (report.state !== "CLOSED") return 0;
  return report.failureCount > 0 || report.failures > 0 ? 2 : 3;
}
