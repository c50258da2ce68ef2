// The details of one circuit, with its history.

import { history } from "./api.js";
import { Keyed, byId, element, setAttribute, setText, show } from "./dom.js";
import { Actions } from "./operate.js";
import { calls, nextProbe, stateLabel } from "./table.js";
import { clock, latency, length, reasonText, stateName, stateSign } from "./format.js";

// The entries of a history that are loaded and shown.
const HISTORY_LIMIT = 200;

export class Detail {
  // The model that is shown.
  key = null;
  #onChange;
  #opener = null;
  // The state of loading the history: "", or why it is not shown.
  #loadStatus = "";
  #actions;
  #facts = new Keyed(byId("detail-facts"), (name) => {
    const value = element("dd");
    return { node: element("div", {}, element("dt", {}, name), value), value };
  });
  #history = new Keyed(byId("detail-history"), () => {
    const cells = ["When", "From and to", "Reason", "Instance"].map((label) =>
      element("td", { role: "cell", "data-label": label }));
    return { node: element("tr", { role: "row" }, ...cells), cells };
  });

  constructor(ask, onChange) {
    this.#actions = new Actions(byId("detail-acts"), ask);
    this.#onChange = onChange;
    byId("detail-close").addEventListener("click", () => this.close());
    byId("detail").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  async open(key, state) {
    this.#opener = document.activeElement;
    this.key = key;
    this.#loadStatus = "Asking for it";
    this.#onChange();
    byId("detail-title").focus();
    byId("detail").scrollIntoView({ block: "nearest" });
    await this.load(state);
  }

  async load(state) {
    const key = this.key;
    if (key === null) return;
    try {
      state.addTransitions(key, await history(key, HISTORY_LIMIT));
      this.#loadStatus = "";
    } catch (error) {
      this.#loadStatus = `It cannot be had now: ${error.message}`;
    }
    if (key === this.key) this.#onChange();
  }

  close() {
    this.key = null;
    this.#onChange();
    if (this.#opener?.isConnected) this.#opener.focus();
  }

  show(state) {
    show(byId("detail"), this.key !== null);
    if (this.key === null) return;
    const now = state.now();
    const report = state.report(this.key);
    setText(byId("detail-title"), this.key);
    setAttribute(byId("detail"), "data-state", report ? report.state : "");
    this.#actions.show(report);
    const facts = report ? factsOf(report, state.latency[this.key], now) : [];
    setText(byId("detail-words"), report
      ? `${stateLabel(report)}: ${report.explanation}.`
      : "This circuit is gone: reset, deleted, or not used for a day. Its history stands.");
    this.#facts.arrange(facts.map(([name]) => name)).forEach(({ value }, index) => setText(value, facts[index][1]));
    this.#showHistory(state.transitions(this.key), now);
  }

  #showHistory(transitions, now) {
    const none = transitions.length === 0 && this.#loadStatus === "" ? "Nothing has happened yet." : this.#loadStatus;
    setText(byId("detail-none"), none);
    show(byId("detail-table"), transitions.length > 0);
    const shown = transitions.slice(0, HISTORY_LIMIT);
    this.#history.arrange(shown.map(({ epoch }) => epoch)).forEach(({ node, cells }, index) => {
      const { from, to, reason, instance, at } = shown[index];
      setAttribute(node, "data-state", to);
      setText(cells[0], clock(at, now));
      setText(cells[1], `${stateName(from)} → ${stateSign(to)} ${stateName(to)}`);
      setText(cells[2], reasonText(reason));
      setText(cells[3], instance);
    });
  }
}

// Whose calls are refused while all others are admitted.
function refusedCallers(report) {
  const sources = [...(report.alone ? [report.alone] : []), ...(report.refused ?? [])];
  return sources.map(sourceName).join(", ") || (report.state === "OPEN" ? "all" : "none");
}

function sourceName({ caller, tag }) {
  if (tag === undefined) return caller ?? "callers without a key";
  return caller === undefined ? "one request" : `one request of ${caller}`;
}

function factsOf(report, ttft, now) {
  const never = report.lastFailureTime === 0;
  return [
    ["Since", `${clock(report.since, now)} (${length(now - report.since)})`],
    ["Next probe", nextProbe(report, now)],
    ["Refused callers", refusedCallers(report)],
    ["Consecutive failures", String(report.failureCount)],
    ["Last failure", never ? "none known" : `${clock(report.lastFailureTime, now)} (${length(now - report.lastFailureTime)} ago)`],
    ["Failed of calls now", calls(report)],
    ["Time to first token", ttft === undefined ? "no stream yet" : latency(ttft)],
    ["Consecutive trips", String(report.trips)],
    ["Instances without connectivity", report.blockedInstances.join(", ") || "none"],
    ["Last written", `${clock(report.updatedAt, now)}${report.updatedBy ? ` by ${report.updatedBy}` : ""}`],
    ["Epoch", String(report.epoch)],
  ];
}
