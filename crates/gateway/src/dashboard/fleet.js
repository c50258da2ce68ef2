// The instances, and which circuits each holds open.

import { Keyed, attr, byId, element, setText, span } from "./dom.js";
import { count, length } from "./format.js";
import { isOut, sinceOf } from "./phase.js";

// Heartbeats come every 10 s.
const LATE = 30_000;
const SETTLED = 15_000;

const STORES = { connected: "Redis connected", degraded: "Redis unreachable", embedded: "no Redis" };

const items = new Keyed("instances", (name) => {
  const [about, figures, view] = [span("quiet"), span(), span()];
  const node = element("li", {}, element("div", {}, element("strong", {}, name), " ", about), figures, view);
  return { node, about, figures, view };
});

export function showFleet(state) {
  // Without heartbeats nothing is known but who serves this page.
  const instances = state.instances ?? [{ id: state.instance }];
  setText("fleet-note", count(instances.length, "instance"));
  items.draw(instances, ({ id }) => id, (item, instance) => showInstance(item, instance, state));
}

function showInstance({ node, about, figures, view }, instance, state) {
  const now = state.now();
  const { id, version, startedAt, at, store, inFlight, requestsPerMinute, failedPerMinute, fallbacksPerMinute, open } = instance;
  const isLate = now - at > LATE;
  const isOdd = id !== state.instance && open !== undefined && differs(open, state);
  setText(about, [
    version && `v${version}`, startedAt && `up ${length(now - startedAt)}`, STORES[store],
    isLate && `last heartbeat ${length(now - at)} ago`, id === state.instance && "serves this page",
  ].filter(Boolean).join(" · "));
  setText(figures, [
    [requestsPerMinute, "req/min"], [failedPerMinute, "failed"], [fallbacksPerMinute, "by fallback"], [inFlight, "in flight"],
  ].filter(([value]) => value !== undefined).map((part) => part.join(" ")).join(" · "));
  const models = open?.length > 0 ? `Open: ${open.join(", ")}` : open ? "No open circuits" : "";
  setText(view, isOdd ? `${models} (differs from this instance)` : models);
  attr(node, "data-tone", store === "degraded" || isLate || isOdd ? "warning" : "neutral");
}

// Others say it with their next heartbeat.
function differs(open, state) {
  const models = state.models();
  if (models.some(({ report }) => report && state.now() - sinceOf(report) < SETTLED)) return false;
  const own = models.filter(({ phase }) => isOut(phase)).map(({ key }) => key);
  return own.length !== open.length || own.some((key) => !open.includes(key));
}
