// The details of one model. The page's address opens them: "#/models/openai:gpt-5".

import { history } from "./api.js";
import { changeText } from "./changes.js";
import { Keyed, attr, breakable, byId, element, on, setText, show, span } from "./dom.js";
import { clock, latency, length, percent, rate } from "./format.js";
import { capital, nextProbe } from "./health.js";
import { isOut, phaseAfter, phaseLabel, sinceOf } from "./phase.js";
import { Figure } from "./sparkline.js";
import { settled } from "./traffic.js";

const MAX_LISTED = 100;
const PREFIX = "#/models/";

// As narrow as this, it covers the page.
const covers = matchMedia("(max-width: 44rem)");

const ADVICE = {
  connection: "The provider cannot be reached: check DNS, proxy, firewall and its status page.",
  timeout: "The provider responds too slowly: check its status page and this model's timeouts.",
  status: "The provider responds with errors: check its status page. Routes continue with their next models.",
  invalid: "Not a valid response: check the base URL, and for a proxy on the way.",
  cut: "Responses end early: check for a proxy or load balancer with a short timeout.",
  rate_limited: "The account's rate limit is reached. It recovers by itself; an equal model on the route helps.",
  quota: "Quota or credit is exhausted: top it up, then close the circuit.",
  unknown_model: "The provider does not know this model: check its name and the account's access.",
};

export class Drawer {
  key = null;
  #onChange;
  #opener = null;
  #mustFocus = false;
  // Why there is no history, if there is none.
  #loadStatus = "";
  #actions;
  #diagram = ["closed", "open", "half_open"].map((phase) => element("li", { "data-phase": phase }, phaseLabel(phase)));
  #facts = new Keyed("drawer-facts", (name) => {
    const value = element("dd");
    return { node: element("div", {}, element("dt", {}, name), value), value };
  });
  #history = new Keyed("drawer-history", () => {
    const [time, text] = [element("time"), span("what")];
    return { node: element("li", {}, time, text), time, text };
  });
  #figures = [["Requests/s", "line", "calm"], ["Failed", "bars", "bad"], ["p95 to first token", "line", "calm"]].map((each) => new Figure(each));

  // `onChange()` redraws and loads the history.
  constructor(actions, onChange) {
    [this.#actions, this.#onChange] = [actions, onChange];
    byId("drawer-diagram").append(...this.#diagram);
    byId("drawer-figures").append(...this.#figures.map(({ node }) => node));
    on("drawer-close", "click", () => this.close());
    on(window, "hashchange", () => this.follow());
    on(covers, "change", onChange);
  }

  follow() {
    const key = addressed();
    if (key === this.key) return;
    if (this.key === null) this.#opener = document.activeElement;
    this.key = key;
    this.#loadStatus = "Loading…";
    this.#mustFocus = true;
    this.#onChange();
  }

  close() {
    globalThis.history.pushState(null, "", location.pathname + location.search);
    this.follow();
  }

  async load(state) {
    const { key } = this;
    if (key === null) return;
    let status = "";
    try {
      state.addTransitions(key, await history(key));
    } catch (error) {
      status = `History unavailable: ${error.message}`;
    }
    if (key === this.key) this.#loadStatus = status;
  }

  show(state, isLive) {
    const isOpen = this.key !== null;
    show("drawer", isOpen);
    for (const part of document.querySelectorAll("body > header, main, footer")) part.inert = isOpen && covers.matches;
    if (isOpen) this.#draw(state, isLive);
    if (!this.#mustFocus) return;
    // Before it was drawn, nothing could take the focus.
    this.#mustFocus = false;
    byId("drawer").scrollTop = 0;
    if (isOpen) byId("drawer-title").focus({ preventScroll: true });
    else if (this.#opener?.isConnected) this.#opener.focus();
  }

  #draw(state, isLive) {
    const now = state.now();
    const report = state.report(this.key);
    const phase = state.phase(this.key);
    const title = byId("drawer-title");
    if (title.textContent !== this.key) title.replaceChildren(breakable(this.key));
    attr("drawer", "data-phase", phase);
    setText("drawer-state", phaseLabel(phase));
    for (const node of this.#diagram) {
      const place = node.dataset.phase;
      attr(node, "aria-current", place === phase || (place === "open" && isOut(phase)));
    }
    this.#actions.show(report, isLive);
    const transitions = state.transitions(this.key);
    setText("drawer-words", report ? `${capital(report.explanation ?? "")}.` : withoutCircuit(transitions));
    setText("drawer-advice", report && phase !== "closed" ? ADVICE[report.reason?.kind] ?? "" : "");
    const facts = report ? factsOf(report, phase, state.instances, now) : [];
    this.#facts.draw(facts, ([name]) => name, ({ value }, [, text]) => setText(value, text));
    this.#showTraffic(state.traffic, now);
    this.#showHistory(transitions, now);
  }

  #showTraffic(traffic, now) {
    const series = traffic.models[this.key];
    const recent = traffic.recent(series, now);
    const { requests, failed, ttftP95Ms } = recent ?? {};
    const [all, errors, ttft] = this.#figures;
    all.show({ text: recent ? rate(recent.rate) : "–", values: settled(series?.requests) });
    errors.show({ text: requests > 0 ? percent(failed, requests) : "–", values: series?.failed });
    ttft.show({ text: ttftP95Ms ? latency(ttftP95Ms) : "–", values: series?.ttftP95Ms });
  }

  #showHistory(transitions, now) {
    setText("drawer-none", this.#loadStatus || (transitions.length > 0 ? "" : "No state changes in the last 7 days."));
    this.#history.draw(transitions.slice(0, MAX_LISTED), ({ epoch }) => epoch, ({ node, time, text }, change) => {
      attr(node, "data-phase", phaseAfter(change));
      setText(time, clock(change.at, now));
      setText(text, `${changeText(change)} (${change.instance})`);
    });
  }
}

function addressed() {
  if (!location.hash.startsWith(PREFIX)) return null;
  try {
    return decodeURIComponent(location.hash.slice(PREFIX.length)) || null;
  } catch {
    return null;
  }
}

const withoutCircuit = (transitions) => (transitions.length > 0
  ? "No such circuit any more (reset, deleted or expired). Its history is kept."
  : "No circuit yet: it appears with the first request to this model.");

// Whose requests are refused while all others are admitted.
function refusedCallers(report) {
  const sources = [...(report.alone ? [report.alone] : []), ...(report.refused ?? [])];
  return sources.map(sourceName).join(", ") || (report.state === "OPEN" ? "all" : "none");
}

function sourceName({ caller, tag }) {
  if (tag === undefined) return caller ?? "callers without a key";
  return caller === undefined ? "one request" : `one request of ${caller}`;
}

function factsOf(report, phase, instances, now) {
  const { key, failureCount, lastFailureTime, trips, calls, failures, blockedInstances, updatedAt, updatedBy } = report;
  const since = sinceOf(report);
  const holders = instances?.filter(({ open }) => open?.includes(key)).map(({ id }) => id).join(", ") || "none";
  return [
    ["Since", `${clock(since, now)} (${length(now - since)})`],
    ["Next probe", nextProbe(report, now)],
    ["Consecutive failures", failureCount ?? "–"],
    // What was counted before it opened says nothing about now.
    ["Error rate (10 s)", isOut(phase) || !calls ? "–" : `${percent(failures, calls)} (${failures} of ${calls})`],
    ["Last failure", lastFailureTime ? `${clock(lastFailureTime, now)} (${length(now - lastFailureTime)} ago)` : "none known"],
    ["Consecutive trips", trips ?? "–"],
    ["Held open by instances", instances ? holders : "–"],
    ["Instances without connectivity", blockedInstances?.join(", ") || "none"],
    ["Refused callers", refusedCallers(report)],
    ["Last updated", `${clock(updatedAt, now)} by ${updatedBy ?? "–"}`],
  ];
}
