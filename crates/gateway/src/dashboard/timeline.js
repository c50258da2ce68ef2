// The last hour: a lane for each circuit that was not simply closed, and the transitions in words.

import { HOUR } from "./circuits.js";
import { Keyed, byId, drawing, element, setAttribute, setText, show } from "./dom.js";
import { clock, reasonWords, stateSign, stateWord } from "./words.js";

const LANES = 12;
const LINES = 50;

// The height of each state's bar: colour is not the only sign.
const HEIGHTS = { CLOSED: 2, HALF_OPEN: 10, OPEN: 20 };
const HEIGHT = 20;

const lanes = new Keyed(byId("lanes"), (key) => new Lane(key));
const lines = new Keyed(byId("transitions"), () => ({ node: element("li") }));

export function showTimeline(circuits, picture) {
  const now = picture.now();
  const transitions = picture.lastHour();
  const stirred = new Set(transitions.map(({ key }) => key));
  const shown = circuits.filter(({ key, state }) => state !== "CLOSED" || stirred.has(key));
  const calm = circuits.length - shown.length;
  const hidden = Math.max(0, shown.length - LANES);
  const words = [
    hidden > 0 ? `${hidden} more had transitions.` : "",
    calm > 0 ? `${shown.length > 0 ? "The other" : "All"} ${calm === 1 ? "one was" : `${calm} were`} closed all the time.` : "",
  ];
  setText(byId("calm"), words.filter(Boolean).join(" "));
  show(byId("legend"), shown.length > 0);
  const some = shown.slice(0, LANES);
  lanes.arrange(some.map(({ key }) => key)).forEach((lane, index) => lane.show(some[index], picture, now));
  const newest = transitions.slice(0, LINES);
  const parts = lines.arrange(newest.map(({ key, epoch }) => `${key} ${epoch}`));
  parts.forEach(({ node }, index) => setText(node, line(newest[index], now)));
}

function line({ key, from, to, reason, instance, at }, now) {
  return `${clock(at, now)}  ${key}  ${stateWord(from)} → ${stateSign(to)} ${stateWord(to)}: ${reasonWords(reason)} (${instance})`;
}

class Lane {
  #bar = drawing("svg", { role: "img", viewBox: `0 0 ${HOUR / 1000} ${HEIGHT}`, preserveAspectRatio: "none" });

  constructor(key) {
    const axis = ["60 min ago", "40", "20", "now"].map((text) => element("span", {}, text));
    this.node = element("div", { class: "lane" },
      element("span", { class: "lane-name" }, key), this.#bar,
      element("span", { class: "axis", "aria-hidden": "true" }, ...axis));
  }

  show(report, picture, now) {
    const parts = segments(report, picture.transitions(report.key), now);
    const bars = parts.map(({ state, from, to }) => drawing("rect", {
      class: state.toLowerCase(),
      x: (from - now + HOUR) / 1000,
      y: HEIGHT - HEIGHTS[state],
      width: Math.max(0, to - from) / 1000,
      height: HEIGHTS[state],
    }));
    this.#bar.replaceChildren(...bars);
    const out = parts.filter(({ state }) => state !== "CLOSED");
    const words = out.map(({ state, from, to }) => `${stateWord(state)} ${clock(from, now)} to ${clock(to, now)}`);
    setAttribute(this.#bar, "aria-label", `${report.key}: ${words.join(", ") || "closed"}`);
  }
}

// The hour in stretches of one state, oldest first.
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
  // What holds now is the report's word: a history may be shorter than its circuit.
  const last = report.state;
  const began = Math.max(from, last === state ? from : report.since);
  if (last !== state) parts.push({ state, from, to: began });
  parts.push({ state: last, from: began, to: now });
  return parts.filter(({ state: known }) => known in HEIGHTS);
}
