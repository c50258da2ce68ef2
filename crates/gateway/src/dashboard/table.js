// The table of all circuits.

import { Keyed, byId, element, setAttribute, setText, show } from "./dom.js";
import { clock, count, latency, length, percent, stateName, stateSign, until } from "./format.js";
import { Actions } from "./operate.js";

// With fewer circuits, a filter is not useful.
const MIN_FILTERED = 10;

export class Table {
  #rows;
  #filter = byId("filter-field");

  // `select(key)` shows the details of a circuit; `ask(action, key)` asks for a confirmation; `onChange()` redraws.
  constructor(select, ask, onChange) {
    this.#rows = new Keyed(byId("rows"), (key) => new Row(key, select, ask));
    this.#filter.addEventListener("input", onChange);
  }

  show(circuits, state, selected) {
    const text = this.#filter.value.trim().toLowerCase();
    const shown = circuits.filter(({ key }) => key.toLowerCase().includes(text));
    show(byId("filter"), circuits.length >= MIN_FILTERED || text !== "");
    show(byId("empty"), circuits.length === 0);
    show(byId("no-match"), circuits.length > 0 && shown.length === 0);
    show(byId("table"), shown.length > 0);
    const now = state.now();
    const rows = this.#rows.arrange(shown.map(({ key }) => key));
    rows.forEach((row, index) => row.show(shown[index], now, state.latency[shown[index].key], selected));
  }
}

class Row {
  #state = element("span", { class: "state" });
  #name;
  #cells = {};
  #actions;

  constructor(key, select, ask) {
    this.#name = element("button", { type: "button", class: "name", onclick: () => select(key) }, key);
    const cell = (name, label, kind = "") => {
      this.#cells[name] = element("td", { role: "cell", class: kind, "data-label": label });
      return this.#cells[name];
    };
    const actions = element("div", { class: "acts" });
    this.node = element("tr", { role: "row" },
      element("td", { role: "cell", class: "first" }, this.#state),
      element("th", { role: "rowheader", scope: "row" }, this.#name),
      cell("since", "Since", "since"),
      cell("next", "Next probe", "next"),
      cell("reason", "Reason", "reason"),
      cell("failures", "Consecutive failures", "number"),
      cell("calls", "Failed of calls now", "number"),
      cell("latency", "TTFT", "number"),
      element("td", { role: "cell", class: "last" }, actions));
    this.#actions = new Actions(actions, ask);
  }

  show(report, now, ttft, selected) {
    const { state } = report;
    setAttribute(this.node, "data-state", state);
    setAttribute(this.#name, "aria-expanded", String(report.key === selected));
    setText(this.#state, stateLabel(report));
    setText(this.#cells.since, `${clock(report.since, now)} (${length(now - report.since)})`);
    setText(this.#cells.next, nextProbe(report, now));
    setText(this.#cells.reason, report.explanation);
    setText(this.#cells.failures, String(report.failureCount));
    setText(this.#cells.calls, calls(report));
    setText(this.#cells.latency, ttft === undefined ? "–" : latency(ttft));
    this.#actions.show(report, state === "CLOSED" ? 1 : 2);
  }
}

export function stateLabel(report) {
  return `${stateSign(report.state)} ${stateName(report.state)}${report.forced ? ", manual" : ""}`;
}

export function nextProbe(report, now) {
  if (report.probing.length > 0) return `probe under way (${report.probing.join(", ")})`;
  if (report.state === "HALF_OPEN") return "with the next call";
  if (report.state === "CLOSED") return "–";
  return report.retryAt === undefined ? "when somebody closes it" : until(report.retryAt, now);
}

export function calls({ failures, calls: all }) {
  return all === 0 ? "no calls" : `${failures} of ${count(all, "call", "calls")} (${percent(failures, all)})`;
}
