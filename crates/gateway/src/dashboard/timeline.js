// The timeline: a lane for each model that was not simply closed. It follows the time, unless zoomed.

import { Keyed, attr, byId, drawing, element, modelLink, on, setText, show, span } from "./dom.js";
import { axisTime, clock, count, length, reasonText } from "./format.js";
import { segmentsOf } from "./lanes.js";
import { PHASES } from "./phase.js";

const MAX_LANES = 14;
const MAX_CALM_LANES = 5;
const MINUTE = 60_000;
// A part of less than this is not zoomed into.
const MIN_SPAN = 5000;
const RANGES = [["5 min", 5 * MINUTE], ["1 h", 60 * MINUTE], ["24 h", 1440 * MINUTE], ["7 d", 10_080 * MINUTE]];
const TICKS = 5;

// The height of each phase's bar, so that colour is not the only sign.
const HEIGHTS = { closed: 4, half_open: 11, cooldown: 16, open: 20, forced: 20 };
const HEIGHT = 20;
const WIDTH = 1000;

export class Timeline {
  #lanes = new Keyed("lanes", (key) => new Lane(key));
  #ranges;
  #span = RANGES[1][1];
  #zoomed = null;
  #brush = null;
  #window = { from: 0, to: 1 };
  #segments = new Map();
  #onChange;

  // `onChange()` redraws, and loads what is missing.
  constructor(onChange) {
    this.#onChange = onChange;
    this.#ranges = RANGES.map(([name, length]) => element("button", { type: "button", onclick: () => {
      this.#span = length;
      this.#zoom(null);
    } }, name));
    byId("ranges").append(...this.#ranges);
    on("zoom-out", "click", () => this.#zoom(null));
    on("chart", "pointerdown", (event) => {
      if (event.button === 0 && !event.target.closest("a")) this.#brush = this.#share(event);
    });
    on("chart", "pointermove", (event) => this.#hover(event));
    on("chart", "pointerup", (event) => this.#release(event));
    on("chart", "pointerleave", () => this.#clear());
    on("chart", "keydown", (event) => this.#press(event));
  }

  window(now) {
    return this.#zoomed ?? { from: now - this.#span, to: now };
  }

  #zoom(part) {
    this.#zoomed = part;
    this.#clear();
    this.#onChange();
  }

  show(state) {
    const now = state.now();
    this.#window = this.window(now);
    const { from, to } = this.#window;
    const rows = state.models().filter(({ report }) => report).map(({ key, report, phase }) => {
      const transitions = state.transitions(key);
      const segments = segmentsOf(report, transitions, state.firstKnown(key), now);
      return { key, segments, transitions, isCalm: phase === "closed" && !transitions.some(({ at }) => at >= from && at <= to) };
    });
    const changed = rows.filter(({ isCalm }) => !isCalm);
    const listed = changed.length > 0 ? changed.slice(0, MAX_LANES) : rows.slice(0, MAX_CALM_LANES);
    setText("timeline-note", noteOf(rows.length, changed.length));
    this.#segments = new Map(listed.map(({ key, segments }) => [key, segments]));
    for (const id of ["chart", "axis"]) show(id, listed.length > 0);
    this.#lanes.draw(listed, ({ key }) => key, (lane, row) => lane.show(row, this.#window, now));
    const isFollowing = this.#zoomed === null;
    this.#ranges.forEach((range, index) => attr(range, "aria-pressed", isFollowing && RANGES[index][1] === this.#span));
    show("zoom-out", !isFollowing);
    this.#axis(isFollowing && state.lostAt === null);
  }

  #axis(endsNow) {
    const { from, to } = this.#window;
    const axis = byId("axis");
    while (axis.children.length < TICKS) axis.append(span());
    [...axis.children].forEach((tick, index) => setText(tick,
      endsNow && index === TICKS - 1 ? "now" : axisTime(from + ((to - from) * index) / (TICKS - 1), to - from)));
  }

  #share({ clientX }) {
    const { left, width } = byId("overlay").getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - left) / width));
  }

  #timeAt = (share) => this.#window.from + share * (this.#window.to - this.#window.from);

  #dragged = (share) => [this.#brush ?? share, share].sort((a, b) => a - b);

  #hover(event) {
    const share = this.#share(event);
    const [left, right] = this.#dragged(share);
    this.#mark(share * WIDTH, left * WIDTH, (right - left) * WIDTH);
    const key = event.target.closest(".lane")?.dataset.key;
    const [from, to] = [left, right].map(this.#timeAt);
    setText("readout", to > from
      ? `${clock(from, to)} to ${clock(to, to)}: release to zoom`
      : readout(key, this.#segments.get(key), this.#timeAt(share)));
  }

  #mark(cursor, left, width) {
    for (const [id, name, value] of [["cursor", "x1", cursor], ["cursor", "x2", cursor], ["brush", "x", left], ["brush", "width", width]]) {
      byId(id).setAttribute(name, value);
    }
  }

  #release(event) {
    const [from, to] = this.#dragged(this.#share(event)).map(this.#timeAt);
    this.#brush = null;
    if (to - from > Math.max(MIN_SPAN, (this.#window.to - this.#window.from) / 100)) this.#zoom({ from, to });
  }

  #clear() {
    this.#brush = null;
    this.#mark(-9, 0, 0);
    setText("readout", "");
  }

  #press(event) {
    const { from, to } = this.#window;
    const step = (to - from) / 4;
    const part = { ArrowLeft: [-step, -step], ArrowRight: [step, step], "+": [step, -step], "-": [-step, step], 0: null }[event.key];
    if (part === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = part && { from: from + part[0], to: to + part[1] };
    if (!next || next.to - next.from >= MIN_SPAN) this.#zoom(next);
  }
}

function noteOf(all, changed) {
  if (all === 0) return "No circuits yet";
  if (changed > MAX_LANES) return `${MAX_LANES} of ${changed} models with state changes`;
  if (changed === 0) return `No state changes of ${count(all, "model")}`;
  return all > changed ? `${count(all - changed, "more model")} had no state changes` : "";
}

function readout(key, segments, at) {
  const time = clock(at, Date.now());
  if (key === undefined) return time;
  const part = segments?.find(({ from, to }) => from <= at && at < to);
  if (!part) return `${time}  ${key}: no data`;
  const { phase, from, to, reason } = part;
  const why = phase === "closed" || !reason ? "" : `, ${reasonText(reason)}`;
  return `${time}  ${key}: ${PHASES[phase].name} ${clock(from, at)} to ${clock(to, at)} (${length(to - from)})${why}`;
}

class Lane {
  #bar = drawing("svg", { role: "img", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" });

  constructor(key) {
    this.node = element("div", { class: "lane", "data-key": key }, modelLink(key), this.#bar);
  }

  show({ key, segments, transitions }, { from, to }, now) {
    const x = (at) => Math.min(WIDTH, Math.max(0, ((at - from) / (to - from)) * WIDTH));
    const seen = segments.filter((part) => part.to > from && part.from < to);
    const bars = seen.map((part) => drawing("rect", {
      class: part.phase, x: x(part.from), y: HEIGHT - HEIGHTS[part.phase], width: x(part.to) - x(part.from), height: HEIGHTS[part.phase],
    }));
    const tick = (at, kind, height) => bars.push(drawing("line", { class: kind, x1: x(at), x2: x(at), y2: height }));
    const first = segments[0]?.from > from ? segments[0].from : null;
    if (first !== null && first < to) tick(first, "first", HEIGHT);
    for (const { at, reason } of transitions) {
      if (at >= from && at <= to && ["manual", "reset"].includes(reason?.kind)) tick(at, "manual", 7);
    }
    this.#bar.replaceChildren(...bars);
    const parts = seen.filter(({ phase }) => phase !== "closed").slice(-6)
      .map((part) => `${PHASES[part.phase].name} ${clock(part.from, now)} to ${clock(part.to, now)}`);
    const known = first === null ? "" : `, first seen ${clock(first, now)}`;
    attr(this.#bar, "aria-label", `${key}: ${parts.join(", ") || (seen.length > 0 ? "closed" : "no data")}${known}`);
  }
}
