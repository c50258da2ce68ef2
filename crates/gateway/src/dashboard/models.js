// The table of all models.

import { Keyed, attr, breakable, byId, element, modelLink, on, setText, show, span } from "./dom.js";
import { compact, count, latency, percent, rate } from "./format.js";
import { storyOf } from "./health.js";
import { PHASES, isOut, isUnhealthy } from "./phase.js";
import { Sparkline } from "./sparkline.js";
import { settled, sum } from "./traffic.js";

// Name, what a click on it sorts by (the highest first; null: severity), class, tooltip.
const COLUMNS = [
  ["State", null],
  ["Model", ({ key }) => key],
  ["Requests/s", ({ recent }) => recent?.rate, "number"],
  ["Errors", ({ errors }) => errors, "number"],
  ["TTFT p50 / p95", ({ recent }) => recent?.ttftP95Ms, "number", "Time to first token"],
  ["Total p50 / p95", ({ recent }) => recent?.durationP95Ms, "number wide"],
  ["In flight", ({ inFlight }) => inFlight, "number medium"],
  ["Tokens/min", ({ tokens }) => tokens, "number wide"],
];

export class Models {
  #rows = new Keyed("rows", (key) => new Row(key));
  #onlyUnhealthy = false;
  #heads;
  #sorted = 0;
  #onChange;

  constructor(onChange) {
    this.#onChange = onChange;
    on("filter", "input", onChange);
    on("only-all", "click", () => this.#only(false));
    on("only-unhealthy", "click", () => this.#only(true));
    this.#heads = COLUMNS.map(([name, , kind, title], index) => {
      const sort = element("button", { type: "button", class: "sort" }, name);
      on(sort, "click", () => {
        this.#sorted = index;
        onChange();
      });
      return element("th", { role: "columnheader", scope: "col", class: kind, title }, sort);
    });
    byId("columns").append(...this.#heads);
  }

  #only(unhealthy) {
    this.#onlyUnhealthy = unhealthy;
    attr("only-all", "aria-pressed", !unhealthy);
    attr("only-unhealthy", "aria-pressed", unhealthy);
    this.#onChange();
  }

  show(state, selected) {
    const models = state.models().map((model) => withFigures(model, state));
    const text = byId("filter").value.trim().toLowerCase();
    const shown = models.filter(({ key, phase }) =>
      key.toLowerCase().includes(text) && (!this.#onlyUnhealthy || isUnhealthy(phase)));
    const by = COLUMNS[this.#sorted][1];
    if (by) shown.sort((a, b) => order(by(a), by(b)));
    this.#heads.forEach((head, index) => attr(head, "aria-sort", index === this.#sorted ? "descending" : "none"));
    show("empty", models.length === 0);
    show("no-match", models.length > 0 && shown.length === 0);
    show("table", shown.length > 0);
    setText("models-note", models.length === shown.length ? count(models.length, "model") : `${shown.length} of ${models.length}`);
    this.#rows.draw(shown, ({ key }) => key, (row, model) => row.show(model, state, selected));
  }
}

const order = (a, b) => (typeof a === "string" ? a.localeCompare(b) : (b ?? -1) - (a ?? -1));

function withFigures(model, state) {
  const series = state.traffic.models[model.key];
  const recent = state.traffic.recent(series, state.now());
  const tokens = recent?.requests > 0 ? ((recent.tokensIn + recent.tokensOut) * 60) / recent.seconds : null;
  return { ...model, series, recent, tokens, errors: errorShare(model, recent), inFlight: series?.inFlight };
}

// null: no requests. Counts from before a circuit opened say nothing about now.
function errorShare({ report, phase }, recent) {
  if (isOut(phase)) return null;
  if (recent) return recent.requests > 0 ? recent.failed / recent.requests : null;
  return report?.calls > 0 ? report.failures / report.calls : null;
}

class Row {
  #sign = span("sign");
  #word = span("word");
  #reason = span("reason");
  #p50 = span("p50");
  #figures = Array.from({ length: COLUMNS.length - 2 }, () => span());
  #rate = new Sparkline("line", "calm");
  #errors = new Sparkline("bars", "bad");

  constructor(key) {
    const name = modelLink(key, breakable(key));
    const kinds = ["rate", "errors", "ttft", "wide", "medium", "wide"];
    const before = [this.#rate.node, this.#errors.node, this.#p50];
    this.node = element("tr", { role: "row", "data-key": key },
      element("td", { role: "cell", class: "state-cell" }, span("state", this.#sign, " ", this.#word)),
      element("th", { role: "rowheader", scope: "row" }, name, this.#reason),
      ...this.#figures.map((figure, index) => element("td", { role: "cell", class: `number ${kinds[index]}` }, before[index], figure)));
    // Anywhere on the row, unless text is being selected.
    on(this.node, "click", (event) => {
      if (!event.target.closest("a") && String(getSelection()) === "") name.click();
    });
  }

  show({ key, report, phase, recent, series, errors, inFlight, tokens }, state, selected) {
    attr(this.node, "data-phase", phase);
    attr(this.node, "data-selected", key === selected);
    setText(this.#sign, PHASES[phase].sign);
    setText(this.#word, PHASES[phase].name);
    const isFailing = report?.failureCount > 0;
    setText(this.#reason, isUnhealthy(phase) ? storyOf(report, phase, state.now()) : isFailing ? report.explanation ?? "" : "");
    // An older gateway has one figure for both.
    const ttft = recent === null ? state.latency[key] : recent.ttftP95Ms;
    setText(this.#p50, recent?.ttftP50Ms ? `${latency(recent.ttftP50Ms)} / ` : "");
    const texts = [
      recent && rate(recent.rate),
      errors !== null && percent(errors, 1),
      ttft && latency(ttft),
      recent?.durationP95Ms && `${latency(recent.durationP50Ms ?? 0)} / ${latency(recent.durationP95Ms)}`,
      inFlight !== undefined && String(inFlight),
      tokens !== null && compact(tokens),
    ];
    this.#figures.forEach((figure, index) => setText(figure, texts[index] || "–"));
    attr(this.#figures[1], "data-tone", errors > 0 ? "bad" : "");
    this.#rate.show(settled(series?.requests), `Requests to ${key}, last 15 minutes`);
    this.#errors.show(series?.failed, `${sum(series?.failed ?? [])} failed requests to ${key}, last 15 minutes`);
  }
}
