// The instances, and which circuits each holds open.

import { Keyed, attr, byId, element, setText, span } from "./dom.js";
import { count, length } from "./format.js";
import { isOut } from "./phase.js";

const LATE = 30_000;

const STORES = { connected: "Redis connected", degraded: "Redis unreachable", embedded: "no Redis" };

const items = new Keyed("instances", (name) => {
  const [about, figures, view] = [span("quiet"), span(), span()];
  const node = element("li", {}, element("div", {}, element("strong", {}, name), " ", about), figures, view);
  return { node, about, figures, view };
});

export function showFleet(state) {
  // Without heartbeats nothing is known but who serves this page.
  const instances = state.instances ?? [{ id: state.instance }];
  setText("fleet-note", count(instances.length, "instance", "instances"));
  const rows = instances.map((instance) => reported(instance, state));
  items.draw(rows, ({ name }) => name, (item, { about, figures, view, tone }) => {
    setText(item.about, about);
    setText(item.figures, figures);
    setText(item.view, view);
    attr(item.node, "data-tone", tone);
  });
}

function reported(instance, state) {
  const now = state.now();
  const { id, version, startedAt, at, store, inFlight, requestsPerMinute, failedPerMinute, fallbacksPerMinute, open } = instance;
  const age = now - (at ?? now);
  const about = [
    version && `v${version}`, startedAt && `up ${length(now - startedAt)}`, STORES[store] ?? store,
    age > LATE && `last heartbeat ${length(age)} ago`, id === state.instance && "serves this page",
  ];
  const figures = [
    [requestsPerMinute, "req/min"], [failedPerMinute, "failed"], [fallbacksPerMinute, "by fallback"], [inFlight, "in flight"],
  ];
  const isOdd = id !== state.instance && differs(open ?? [], state);
  return {
    name: id,
    about: about.filter(Boolean).join(" · "),
    figures: figures.map(([value, name]) => `${value ?? "–"} ${name}`).join(" · "),
    view: `${open?.length > 0 ? `Open: ${open.join(", ")}` : open ? "No open circuits" : ""}${isOdd ? " (differs from this instance)" : ""}`,
    tone: store === "degraded" || age > LATE || isOdd ? "warning" : failedPerMinute > 0 ? "bad" : "neutral",
  };
}

function differs(open, state) {
  const own = state.models().filter(({ phase }) => isOut(phase)).map(({ key }) => key);
  return own.length !== open.length || own.some((key) => !open.includes(key));
}
