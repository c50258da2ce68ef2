// The state of the page. No DOM, no network.

import { phaseOf, rankOf } from "./phase.js";
import { Traffic } from "./traffic.js";

const MAX_TRANSITIONS = 1000;

export class CircuitState {
  store = null;
  instance = "";
  version = "";
  // "caller" or "admin"; "": the gateway does not say.
  role = "";
  latency = {};
  // null: this gateway does not report them.
  routes = null;
  instances = null;
  demo = null;
  traffic = new Traffic();
  #models = [];
  #reports = new Map();
  #known = new Map();
  #transitions = new Map();
  // When each report arrived, by this page's clock.
  #receivedAt = new Map();
  // The store's clock minus this page's, in ms.
  #clockOffset = 0;
  // While the gateway does not answer: as of when this is, by this page's clock.
  lostAt = null;

  // The store's time; it stands still as long as nothing is known.
  now() {
    return (this.lostAt ?? Date.now()) + this.#clockOffset;
  }

  // Returns the requests that are new, by route. `requestedAt`: a report that arrived after it is newer.
  applySnapshot(snapshot, requestedAt = Infinity) {
    this.#clockOffset = snapshot.now - Date.now();
    this.store = snapshot.store ?? { kind: "", state: "unknown" };
    this.instance = snapshot.instance ?? "";
    this.version = snapshot.version ?? "";
    this.role = snapshot.role ?? "";
    this.latency = snapshot.latency ?? {};
    this.demo = snapshot.demo ?? null;
    this.#models = snapshot.models ?? [];
    this.#applyFleet(snapshot);
    const reports = snapshot.circuits ?? [];
    const isOlder = (key) => (this.#receivedAt.get(key) ?? 0) < requestedAt;
    const present = new Set(reports.map((report) => report.key));
    for (const key of [...this.#reports.keys()]) {
      if (!present.has(key) && isOlder(key)) this.#reports.delete(key);
    }
    for (const report of reports) if (isOlder(report.key)) this.#keep(report);
    return this.traffic.apply(snapshot.traffic);
  }

  applyTraffic(data) {
    this.#applyFleet(data);
    return this.traffic.merge(data.traffic);
  }

  #applyFleet({ routes, instances }) {
    this.routes = routes ?? this.routes;
    this.instances = instances ?? this.instances;
  }

  applyCircuit({ key, report, transition }) {
    this.#receivedAt.set(key, Date.now());
    if (report) this.#keep(report);
    else this.#reports.delete(key);
    if (transition) this.addTransitions(key, [transition]);
  }

  #keep(report) {
    this.#reports.set(report.key, report);
    this.#known.set(report.key, Math.min(report.since, this.#known.get(report.key) ?? Infinity));
  }

  // The first that is known of a model, but for its transitions.
  firstKnown = (key) => Math.min(this.#known.get(key), this.traffic.firstSeen(key));

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

  // A model that is called without a circuit has had no failure.
  phase(key) {
    const phase = phaseOf(this.#reports.get(key));
    return phase === "idle" && this.traffic.firstSeen(key) < Infinity ? "closed" : phase;
  }

  between(from, to) {
    const all = [...this.#transitions].flatMap(([key, transitions]) =>
      transitions.filter(({ at }) => at >= from && at <= to).map((transition) => ({ key, ...transition })));
    return all.sort((a, b) => b.at - a.at || b.epoch - a.epoch);
  }

  missingHistories(from) {
    return [...this.#reports.values()]
      .filter(({ key, since, epoch }) => since >= from && (this.transitions(key)[0]?.epoch ?? 0) < epoch)
      .map(({ key, epoch }) => ({ key, epoch }));
  }

  // Most severe first, then by name, so that rows do not move while someone clicks.
  models() {
    const keys = [...new Set([...this.#models, ...this.#reports.keys()])];
    const all = keys.map((key) => ({ key, report: this.#reports.get(key), phase: this.phase(key) }));
    return all.sort((a, b) => rank(a) - rank(b) || (a.key < b.key ? -1 : 1));
  }

  // No event says that an open period has ended, and only the gateway knows the new state.
  isProbeDue() {
    const now = this.now();
    return [...this.#reports.values()].some(({ state, retryAt }) => state === "OPEN" && retryAt <= now);
  }
}

// A closed circuit with failures stands above other closed ones.
function rank({ phase, report }) {
  return rankOf(phase) - (phase === "closed" && (report?.failureCount > 0 || report?.failures > 0) ? 0.5 : 0);
}
