// The instances that changed a circuit in the last hour.

import { HOUR } from "./circuits.js";
import { Keyed, byId, element, setText } from "./dom.js";
import { length } from "./format.js";

const items = new Keyed(byId("instances"), (name) => {
  const text = element("span");
  return { node: element("li", {}, element("strong", {}, name), " ", text), text };
});

export function showInstances(circuits, state, isLive) {
  const now = state.now();
  const seen = instances(circuits, state, now);
  const names = [...seen.keys()].sort();
  items.arrange(names).forEach(({ text }, index) => {
    const name = names[index];
    const { at, activity } = seen.get(name);
    const age = now - at < 2000 ? "just now" : `${length(now - at)} ago`;
    const last = name === state.instance ? `serves this page${isLive ? "" : ", does not answer now"}` : `seen ${age}`;
    setText(text, [last, ...activity].join("; "));
  });
}

// By name: when it was last seen, and its current activity.
function instances(circuits, state, now) {
  const seen = new Map();
  const add = (name, at, doing) => {
    if (!name || at < now - HOUR) return;
    const known = seen.get(name) ?? { at, activity: [] };
    seen.set(name, { at: Math.max(at, known.at), activity: doing ? [...known.activity, doing] : known.activity });
  };
  add(state.instance, now);
  for (const report of circuits) {
    add(report.updatedBy, report.updatedAt);
    for (const name of report.probing) add(name, now, `probes ${report.key}`);
    for (const name of report.blockedInstances) add(name, report.updatedAt, `cannot connect to ${report.key}`);
  }
  for (const { instance, at } of state.lastHour()) add(instance, at);
  return seen;
}
