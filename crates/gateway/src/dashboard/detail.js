// One circuit in full, with its history.

import { history } from "./api.js";
import { Keyed, byId, element, setAttribute, setText, show } from "./dom.js";
import { Acts } from "./operate.js";
import { calls, nextTry, stateLabel } from "./table.js";
import { clock, latency, length, reasonWords, stateSign, stateWord } from "./words.js";

const MOST = 200;

export class Detail {
  // The model that is shown.
  key = null;
  #changed;
  #opener = null;
  // What became of asking for the history: "", or why there is none.
  #asked = "";
  #acts;
  #facts = new Keyed(byId("detail-facts"), (name) => {
    const value = element("dd");
    return { node: element("div", {}, element("dt", {}, name), value), value };
  });
  #history = new Keyed(byId("detail-history"), () => {
    const cells = ["When", "From and to", "Reason", "Instance"].map((label) =>
      element("td", { role: "cell", "data-label": label }));
    return { node: element("tr", { role: "row" }, ...cells), cells };
  });

  constructor(ask, changed) {
    this.#acts = new Acts(byId("detail-acts"), ask);
    this.#changed = changed;
    byId("detail-shut").addEventListener("click", () => this.shut());
    byId("detail").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.shut();
    });
  }

  async open(key, picture) {
    this.#opener = document.activeElement;
    this.key = key;
    this.#asked = "Asking for it";
    this.#changed();
    byId("detail-title").focus();
    byId("detail").scrollIntoView({ block: "nearest" });
    await this.load(picture);
  }

  async load(picture) {
    const key = this.key;
    if (key === null) return;
    try {
      picture.takeHistory(key, await history(key, MOST));
      this.#asked = "";
    } catch (error) {
      this.#asked = `It cannot be had now: ${error.message}`;
    }
    if (key === this.key) this.#changed();
  }

  shut() {
    this.key = null;
    this.#changed();
    if (this.#opener?.isConnected) this.#opener.focus();
  }

  show(picture) {
    show(byId("detail"), this.key !== null);
    if (this.key === null) return;
    const now = picture.now();
    const report = picture.report(this.key);
    setText(byId("detail-title"), this.key);
    setAttribute(byId("detail"), "data-state", report ? report.state : "");
    this.#acts.show(report);
    const facts = report ? factsOf(report, picture.latency[this.key], now) : [];
    setText(byId("detail-words"), report
      ? `${stateLabel(report)}: ${report.explanation}.`
      : "This circuit is gone: reset, deleted, or not used for a day. Its history stands.");
    this.#facts.arrange(facts.map(([name]) => name)).forEach(({ value }, index) => setText(value, facts[index][1]));
    this.#showHistory(picture.transitions(this.key), now);
  }

  #showHistory(transitions, now) {
    const none = transitions.length === 0 && this.#asked === "" ? "Nothing has happened yet." : this.#asked;
    setText(byId("detail-none"), none);
    show(byId("detail-table"), transitions.length > 0);
    const shown = transitions.slice(0, MOST);
    this.#history.arrange(shown.map(({ epoch }) => epoch)).forEach(({ node, cells }, index) => {
      const { from, to, reason, instance, at } = shown[index];
      setAttribute(node, "data-state", to);
      setText(cells[0], clock(at, now));
      setText(cells[1], `${stateWord(from)} → ${stateSign(to)} ${stateWord(to)}`);
      setText(cells[2], reasonWords(reason));
      setText(cells[3], instance);
    });
  }
}

function factsOf(report, firstToken, now) {
  const never = report.lastFailureTime === 0;
  return [
    ["Since", `${clock(report.since, now)} (${length(now - report.since)})`],
    ["Next try", nextTry(report, now)],
    ["Failures in a row", String(report.failureCount)],
    ["Last failure", never ? "none known" : `${clock(report.lastFailureTime, now)} (${length(now - report.lastFailureTime)} ago)`],
    ["Failed of calls now", calls(report)],
    ["Time to first content", firstToken === undefined ? "no stream yet" : latency(firstToken)],
    ["Opened in a row", String(report.trips)],
    ["Cannot connect to it", report.cutOff.join(", ") || "no instance"],
    ["Last written", `${clock(report.updatedAt, now)}${report.updatedBy ? ` by ${report.updatedBy}` : ""}`],
    ["Epoch", String(report.epoch)],
  ];
}
