// What the page knows: the circuits, their transitions, the store. No page, no network.

export const HOUR = 3600_000;

// More of a circuit's transitions are not kept.
const MOST = 500;

export class Picture {
  store = null;
  // The instance that serves this page.
  instance = "";
  // Typical time to first content by model, in ms, as this instance sees it.
  latency = {};
  #reports = new Map();
  // By model, newest first.
  #transitions = new Map();
  // When each report came, by this page's clock.
  #heard = new Map();
  // How far the store's clock is ahead of this page's, in ms.
  #ahead = 0;

  // The store's time.
  now() {
    return Date.now() + this.#ahead;
  }

  // Everything at once. `asked`: when it was asked for; what has been heard since then is newer.
  take(snapshot, asked = Infinity) {
    this.#ahead = snapshot.now - Date.now();
    this.store = snapshot.store;
    this.instance = snapshot.instance;
    this.latency = snapshot.latency;
    const isOlder = (key) => (this.#heard.get(key) ?? 0) < asked;
    const there = new Set(snapshot.circuits.map((report) => report.key));
    for (const key of [...this.#reports.keys()]) {
      if (!there.has(key) && isOlder(key)) this.#reports.delete(key);
    }
    for (const report of snapshot.circuits) if (isOlder(report.key)) this.#reports.set(report.key, report);
  }

  // One circuit has changed, or is gone.
  takeCircuit({ key, report, transition }) {
    this.#heard.set(key, Date.now());
    if (report) this.#reports.set(key, report);
    else this.#reports.delete(key);
    if (transition) this.takeHistory(key, [transition]);
  }

  takeHistory(key, transitions) {
    const all = [...transitions, ...this.transitions(key)];
    const unique = new Map(all.map((transition) => [transition.epoch, transition]));
    const sorted = [...unique.values()].sort((a, b) => b.epoch - a.epoch);
    this.#transitions.set(key, sorted.slice(0, MOST));
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

  // The circuits whose transitions of the last hour are not known here.
  unknownHistories() {
    const from = this.now() - HOUR;
    return [...this.#reports.values()]
      .filter(({ key, since, epoch }) => since >= from && (this.transitions(key)[0]?.epoch ?? 0) < epoch)
      .map(({ key, epoch }) => ({ key, epoch }));
  }

  // Worst first. Within a rank by name, so that rows do not move under the reader's hand.
  circuits() {
    return [...this.#reports.values()].sort((a, b) => rank(a) - rank(b) || (a.key < b.key ? -1 : 1));
  }

  // Whether an open circuit's time has come. Time alone sends no event, and what the circuit is then, the gateway says.
  isDue() {
    const now = this.now();
    return [...this.#reports.values()].some(({ state, retryAt }) => state === "OPEN" && retryAt <= now);
  }
}

export const isOut = (report) => report.state !== "CLOSED";

function rank(report) {
  if (report.state === "OPEN") return report.forced ? 1 : 0;
  // As bad as open, as long as no probe has come back.
  if (report.state !== "CLOSED") return 0;
  return report.failureCount > 0 || report.failures > 0 ? 2 : 3;
}
