// The table of all circuits.

import { Keyed, byId, element, setAttribute, setText, show } from "./dom.js";
import { Acts } from "./operate.js";
import { clock, count, latency, length, percent, stateSign, stateWord, until } from "./words.js";

// With fewer, a filter is only in the way.
const MANY = 10;

export class Table {
  #rows;
  #filter = byId("filter-field");

  // `select(key)`: somebody wants to see one in full; `ask(act, key)`: somebody wants to operate one.
  constructor(select, ask, changed) {
    this.#rows = new Keyed(byId("rows"), (key) => new Row(key, select, ask));
    this.#filter.addEventListener("input", changed);
  }

  show(circuits, picture, selected) {
    const text = this.#filter.value.trim().toLowerCase();
    const shown = circuits.filter(({ key }) => key.toLowerCase().includes(text));
    show(byId("filter"), circuits.length >= MANY || text !== "");
    show(byId("empty"), circuits.length === 0);
    show(byId("no-match"), circuits.length > 0 && shown.length === 0);
    show(byId("table"), shown.length > 0);
    const now = picture.now();
    const rows = this.#rows.arrange(shown.map(({ key }) => key));
    rows.forEach((row, index) => row.show(shown[index], now, picture.latency[shown[index].key], selected));
  }
}

class Row {
  #state = element("span", { class: "state" });
  #name;
  #cells = {};
  #acts;

  constructor(key, select, ask) {
    this.#name = element("button", { type: "button", class: "name", onclick: () => select(key) }, key);
    const cell = (name, label, kind = "") => {
      this.#cells[name] = element("td", { role: "cell", class: kind, "data-label": label });
      return this.#cells[name];
    };
    const acts = element("div", { class: "acts" });
    this.node = element("tr", { role: "row" },
      element("td", { role: "cell", class: "first" }, this.#state),
      element("th", { role: "rowheader", scope: "row" }, this.#name),
      cell("since", "Since", "since"),
      cell("next", "Next try", "next"),
      cell("why", "Why", "why"),
      cell("row", "Failures in a row", "number"),
      cell("calls", "Failed of calls now", "number"),
      cell("latency", "First content", "number"),
      element("td", { role: "cell", class: "last" }, acts));
    this.#acts = new Acts(acts, ask);
  }

  show(report, now, firstToken, selected) {
    const { state } = report;
    setAttribute(this.node, "data-state", state);
    setAttribute(this.#name, "aria-expanded", String(report.key === selected));
    setText(this.#state, stateLabel(report));
    setText(this.#cells.since, `${clock(report.since, now)} (${length(now - report.since)})`);
    setText(this.#cells.next, nextTry(report, now));
    setText(this.#cells.why, report.explanation);
    setText(this.#cells.row, String(report.failureCount));
    setText(this.#cells.calls, calls(report));
    setText(this.#cells.latency, firstToken === undefined ? "–" : latency(firstToken));
    this.#acts.show(report, state === "CLOSED" ? 1 : 2);
  }
}

export function stateLabel(report) {
  return `${stateSign(report.state)} ${stateWord(report.state)}${report.forced ? ", by hand" : ""}`;
}

export function nextTry(report, now) {
  if (report.probing.length > 0) return `probe under way (${report.probing.join(", ")})`;
  if (report.state === "HALF_OPEN") return "with the next call";
  if (report.state === "CLOSED") return "–";
  return report.retryAt === undefined ? "when somebody closes it" : until(report.retryAt, now);
}

export function calls({ failures, calls: all }) {
  return all === 0 ? "no calls" : `${failures} of ${count(all, "call", "calls")} (${percent(failures, all)})`;
}
