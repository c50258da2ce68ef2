// The routes: each with its chain, where calls go now, and its traffic on the move.

import { Keyed, attr, element, modelLink, on, setText, show, span } from "./dom.js";
import { Flow } from "./flow.js";
import { count, percent, rate } from "./format.js";
import { nextProbe } from "./health.js";
import { PHASES, isOut, isUnhealthy } from "./phase.js";
import { Sparkline } from "./sparkline.js";
import { settled } from "./traffic.js";

const MAX_ROUTES = 6;

const STATES = { unavailable: ["✕ unavailable", "bad"], fallback: ["◔ on fallback", "warning"], healthy: ["✓ healthy", "good"] };

const rankOf = ({ state }) => Object.keys(STATES).indexOf(state);

export class Routes {
  #rows = new Keyed("route-list", (name) => new Route(name));
  #shown = new Map();
  #all = false;

  constructor(onChange) {
    on("more-routes", "click", () => {
      this.#all = !this.#all;
      onChange();
    });
  }

  show(state) {
    const routes = [...(state.routes ?? [])].sort((a, b) => rankOf(a) - rankOf(b));
    const listed = this.#all ? routes : routes.slice(0, MAX_ROUTES);
    show("routes", routes.length > 0);
    show("more-routes", routes.length > MAX_ROUTES);
    setText("more-routes", this.#all ? "Show fewer" : `Show all ${routes.length} routes`);
    setText("routes-note", count(routes.length, "route"));
    this.#shown = new Map();
    this.#rows.draw(listed, ({ name }) => name, (row, route) => {
      row.show(route, state);
      this.#shown.set(route.name, row);
    });
  }

  flow(arrivals) {
    for (const [name, added] of Object.entries(arrivals)) this.#shown.get(name)?.flow(added);
  }

  probe(key) {
    for (const row of this.#shown.values()) row.probe(key);
  }
}

class Route {
  #tag = span("tag");
  #figures = span("quiet figures");
  #spark = new Sparkline("line", "calm");
  #chain = element("ol", { class: "chain" });
  #flow = new Flow(this.#chain);
  #stops = new Keyed(this.#chain, (id) => (id in this.#ends ? { node: this.#ends[id] } : new Stop()));
  #ends = {
    callers: element("li", { class: "stop callers" }, span("mark"), span("quiet", "callers")),
    flow: element("li", { class: "flow-layer", "aria-hidden": "true" }, this.#flow.node),
  };
  #groups = [];
  #current = -1;

  constructor(name) {
    this.node = element("li", { class: "route" },
      element("div", { class: "route-head" }, element("h3", {}, name), this.#tag, this.#figures, this.#spark.node), this.#chain);
  }

  show({ name, models, state: condition, current }, state) {
    this.#groups = (models ?? []).map((group) => group.map((key) => ({ key, phase: state.phase(key) })));
    this.#current = (models ?? []).findIndex((group) => group.includes(current));
    attr(this.#chain, "aria-label", `Chain of route ${name}`);
    const [text, tone] = STATES[condition] ?? ["? unknown", "unknown"];
    setText(this.#tag, text);
    attr(this.#tag, "data-tone", tone);
    const series = state.traffic.routes[name];
    const recent = state.traffic.recent(series, state.now());
    const isActive = recent?.requests > 0;
    setText(this.#figures, figuresOf(recent));
    attr(this.#figures, "data-tone", recent?.failed > 0 ? "bad" : "");
    this.#spark.show(settled(series?.requests), `Requests to ${name}, last 15 minutes`);
    const parts = this.#stops.arrange(["callers", ...this.#groups.keys(), "flow"]);
    const end = this.#current < 0 ? this.#groups.length - 1 : this.#current;
    attr(this.#ends.callers, "data-active", isActive);
    this.#groups.forEach((group, index) => {
      const stop = parts[index + 1];
      stop.show(group, current, state);
      attr(stop.node, "data-current", index === this.#current);
      attr(stop.node, "data-active", isActive && index < end);
    });
  }

  flow(added) {
    // With none left, they come back from the first.
    const second = Math.min(1, this.#groups.length - 1);
    this.#flow.add(added, this.#outs(), { first: 0, fallback: this.#current < 0 ? 0 : this.#current || second });
  }

  probe(key) {
    const target = this.#groups.findIndex((group) => group.some((model) => model.key === key));
    if (target >= 0) this.#flow.probe(this.#outs(), target);
  }

  #outs = () => this.#groups.map((group) => group.every(({ phase }) => isUnhealthy(phase)));
}

function figuresOf(recent) {
  if (recent === null) return "–";
  if (recent.requests === 0) return "idle";
  const fallbacks = recent.fallbacks > 0 ? ` · ${percent(recent.fallbacks, recent.requests)} by fallback` : "";
  return `${rate(recent.rate)} req/s · ${recent.failed} failed${fallbacks}`;
}

class Stop {
  #list = element("div", { class: "equals" });
  #models = new Keyed(this.#list, stopModel);

  constructor() {
    this.node = element("li", { class: "stop" }, span("mark"), this.#list);
  }

  show(group, current, state) {
    const phases = group.map(({ phase }) => phase);
    attr(this.node, "data-phase", phases.find((phase) => !isUnhealthy(phase)) ?? phases.find((phase) => !isOut(phase)) ?? phases[0]);
    this.#models.draw(group, ({ key }) => key, ({ node, sign, now, note }, { key, phase }) => {
      attr(node, "data-phase", phase);
      setText(sign, PHASES[phase].sign);
      show(now, key === current);
      setText(note, noteOf(key, phase, state));
    });
  }
}

function stopModel(key) {
  const [sign, now, note] = [span("sign"), span("now", "now"), span("quiet")];
  const node = element("div", { class: "stop-model" }, element("div", { class: "stop-name" }, sign, modelLink(key), now), note);
  return { node, sign, now, note };
}

function noteOf(key, phase, state) {
  const { name } = PHASES[phase];
  if (isUnhealthy(phase)) {
    const next = nextProbe(state.report(key), state.now());
    return `${name} · ${next === "manual" ? "until closed manually" : `next probe ${next}`}`;
  }
  const recent = state.traffic.recent(state.traffic.models[key], state.now());
  if (phase === "idle" || recent === null) return name;
  return recent.requests > 0 ? `${rate(recent.rate)} req/s` : "idle";
}
