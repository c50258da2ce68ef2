// The last hour: a lane for each circuit that was not closed all the time, and the list of transitions.

import { HOUR } from "./circuits.js";
import { Keyed, byId, drawing, element, setAttribute, setText, show } from "./dom.js";
import { clock, reasonText, stateName, stateSign } from "./format.js";

const MAX_LANES = 12;
const MAX_TRANSITIONS = 50;

// The height of each state's bar, so that colour is not the only sign.
const HEIGHTS = { CLOSED: 2, HALF_OPEN: 10, OPEN: 20 };
const HEIGHT = 20;

const lanes = new Keyed(byId("lanes"), (key) => new Lane(key));
const lines = new Keyed(byId("transitions"), () => ({ node: element("li") }));

export function showTimeline(circuits, state) {
  const now = state.now();
  const transitions = state.lastHour();
  const changed = new Set(transitions.map(({ key }) => key));
  const shown = circuits.filter((report) => report.state !== "CLOSED" || changed.has(report.key));
  const unchanged = circuits.length - shown.length;
  const hidden = Math.max(0, shown.length - MAX_LANES);
  const notes = [
    hidden > 0 ? `${hidden} more had transitions.` : "",
    unchanged > 0 ? `${shown.length > 0 ? "The other" : "All"} ${unchanged === 1 ? "one was" : `${unchanged} were`} closed all the time.` : "",
  ];
  setText(byId("calm"), notes.filter(Boolean).join(" "));
  show(byId("legend"), shown.length > 0);
  const listed = shown.slice(0, MAX_LANES);
  lanes.arrange(listed.map(({ key }) => key)).forEach((lane, index) => lane.show(listed[index], state, now));
  const newest = transitions.slice(0, MAX_TRANSITIONS);
  const parts = lines.arrange(newest.map(({ key, epoch }) => `${key} ${epoch}`));
  parts.forEach(({ node }, index) => setText(node, line(newest[index], now)));
}

function line({ key, from, to, reason, instance, at }, now) {
  return `${clock(at, now)}  ${key}  ${stateName(from)} → ${stateSign(to)} ${stateName(to)}: ${reasonText(reason)} (${instance})`;
}

class Lane {
  #bar = drawing("svg", { role: "img", viewBox: `0 0 ${HOUR / 1000} ${HEIGHT}`, preserveAspectRatio: "none" });

  constructor(key) {
    const axis = ["60 min ago", "40", "20", "now"].map((text) => element("span", {}, text));
    this.node = element("div", { class: "lane" },
      element("span", { class: "lane-name" }, key), this.#bar,
      element("span", { class: "axis", "aria-hidden": "true" }, ...axis));
  }

  show(report, state, now) {
    const parts = segments(report, state.transitions(report.key), now);
    const bars = parts.map(({ state: name, from, to }) => drawing("rect", {
      class: name.toLowerCase(),
      x: (from - now + HOUR) / 1000,
      y: HEIGHT - HEIGHTS[name],
      width: Math.max(0, to - from) / 1000,
      height: HEIGHTS[name],
    }));
    this.#bar.replaceChildren(...bars);
    const outages = parts.filter((part) => part.state !== "CLOSED");
    const texts = outages.map((part) => `${stateName(part.state)} ${clock(part.from, now)} to ${clock(part.to, now)}`);
    setAttribute(this.#bar, "aria-label", `${report.key}: ${texts.join(", ") || "closed"}`);
  }
}

// The hour in segments of one state, oldest first.
function segments(report, transitions, now) {
  const start = now - HOUR;
  const changes = transitions.filter(({ at }) => at > start && at <= now).reverse();
  const before = transitions.find(({ at }) => at <= start)?.to ?? changes[0]?.from ?? "CLOSED";
  const parts = [];
  let [state, from] = [before, start];
  for (const change of changes) {
    parts.push({ state, from, to: change.at });
    [state, from] = [change.to, change.at];
  }
  // The report has the current state: the history may lack the last transition.
  const last = report.state;
  const began = Math.max(from, last === state ? from : report.since);
  if (last !== state) parts.push({ state, from, to: began });
  parts.push({ state: last, from: began, to: now });
  return parts.filter(({ state: known }) => known in HEIGHTS);
}
