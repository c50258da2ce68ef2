// The instances that were seen in the last hour.

import { HOUR } from "./circuits.js";
import { Keyed, byId, element, setText } from "./dom.js";
import { length } from "./words.js";

const items = new Keyed(byId("instances"), (name) => {
  const words = element("span");
  return { node: element("li", {}, element("strong", {}, name), " ", words), words };
});

export function showInstances(circuits, picture, isLive) {
  const now = picture.now();
  const seen = instances(circuits, picture, now);
  const names = [...seen.keys()].sort();
  items.arrange(names).forEach(({ words }, index) => {
    const name = names[index];
    const { at, doing } = seen.get(name);
    const age = now - at < 2000 ? "just now" : `${length(now - at)} ago`;
    const last = name === picture.instance ? `serves this page${isLive ? "" : ", does not answer now"}` : `seen ${age}`;
    setText(words, [last, ...doing].join("; "));
  });
}

// By name: when it was seen last, and what it is doing.
function instances(circuits, picture, now) {
  const seen = new Map();
  const note = (name, at, doing) => {
    if (!name || at < now - HOUR) return;
    const known = seen.get(name) ?? { at, doing: [] };
    seen.set(name, { at: Math.max(at, known.at), doing: doing ? [...known.doing, doing] : known.doing });
  };
  note(picture.instance, now);
  for (const report of circuits) {
    note(report.updatedBy, report.updatedAt);
    for (const name of report.probing) note(name, now, `probes ${report.key}`);
    for (const name of report.cutOff) note(name, report.updatedAt, `cannot connect to ${report.key}`);
  }
  for (const { instance, at } of picture.lastHour()) note(instance, at);
  return seen;
}
