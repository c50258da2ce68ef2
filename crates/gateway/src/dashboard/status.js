// The top of the page: connection, Redis, verdict; and the announcements for screen readers.

import { isUnavailable } from "./circuits.js";
import { Keyed, byId, element, setAttribute, setText, show } from "./dom.js";
import { clock, count, length, stateName, until } from "./format.js";

// The outages that the verdict lists; the table has all.
const MAX_OUTAGES = 3;

const LIVE = {
  connecting: ["Connecting", "neutral"],
  live: ["✓ Live", "good"],
  lost: ["✕ Not live", "bad"],
  key: ["Key needed", "warning"],
};

const STORES = {
  connected: ["✓ Redis connected", "good"],
  degraded: ["✕ Redis unreachable", "bad"],
  embedded: ["Circuits in this process only", "neutral"],
};

export function showChips(feed, state) {
  chip("live", ...LIVE[feed.state]);
  show(byId("store"), state.store !== null);
  show(byId("instance"), state.instance !== "");
  if (state.store === null) return;
  const [text, tone] = STORES[state.store.state] ?? [state.store.state, "neutral"];
  chip("store", state.store.kind === "memory" ? text : `${text} (${state.store.url})`, tone);
  chip("instance", `Served by ${state.instance}`, "neutral");
}

function chip(id, text, tone) {
  setText(byId(id), text);
  setAttribute(byId(id), "data-tone", tone);
}

// Problems of the page's connection and of Redis. `asOf`: when the page was last up to date, by its own clock.
export function showBanners(feed, state, asOf, error) {
  const lost = byId("lost");
  const isLost = feed.state === "lost" && asOf > 0;
  const never = feed.state === "lost" && asOf === 0;
  show(lost, isLost || never);
  if (isLost || never) {
    setText(lost.firstElementChild, never
      ? "This gateway does not give its circuits."
      : `This gateway does not answer. What you see is as of ${clock(asOf, Date.now())} and may be wrong by now.`);
    const wait = until(feed.retryAt, Date.now());
    setText(lost.lastElementChild, `${error ? `(${error.message}) ` : ""}Trying again ${wait}.`);
  }
  const isUnreachable = state.store?.state === "degraded";
  show(byId("away"), isUnreachable);
  if (isUnreachable) {
    setText(byId("away").firstElementChild,
      "Redis unreachable – requests are still served. Each instance uses its own circuit state; showing " +
      `instance ${state.instance}. (${state.store.error ?? "no details"})`);
  }
}

const outages = new Keyed(byId("outages"), () => {
  const name = element("strong");
  const text = element("span");
  return { node: element("li", {}, name, " ", text), name, text };
});

export function showVerdict(circuits, now) {
  const out = circuits.filter(isUnavailable);
  show(byId("verdict"), circuits.length > 0);
  setAttribute(byId("verdict"), "data-tone", out.length > 0 ? "bad" : "good");
  const all = count(circuits.length, "model", "models");
  const verdict = out.length > 0 ? `✕ ${out.length} of ${all} out` : `✓ ${circuits.length === 1 ? "The one model is" : `All ${all} are`} in use`;
  setText(byId("verdict-title"), verdict);
  document.title = out.length > 0 ? `✕ ${out.length} out – Switchboard` : "✓ Switchboard";
  const listed = out.slice(0, MAX_OUTAGES);
  const parts = outages.arrange(listed.map(({ key }) => key));
  parts.forEach((part, index) => {
    setText(part.name, listed[index].key);
    setText(part.text, outage(listed[index], now));
  });
  show(byId("meanwhile"), out.length > 0);
  const more = out.length > MAX_OUTAGES ? `And ${out.length - MAX_OUTAGES} more, see below. ` : "";
  setText(byId("meanwhile"), `${more}${meanwhile(circuits, out)}`);
}

// The effect on calls. The page knows models, not routes.
function meanwhile(circuits, out) {
  if (out.length < circuits.length) {
    return "Meanwhile routes go on with their next model; one that has none left refuses its calls.";
  }
  return "No model is left: but for probes, calls are refused until one is back. Close one that you know to be well, or " +
    "put another model on the routes.";
}

// The cause of an outage and the next step.
function outage(report, now) {
  const since = `${clock(report.since, now)} (${length(now - report.since)})`;
  return `is ${stateName(report.state)} since ${since}: ${report.explanation}. ${nextStep(report, now)}`;
}

function nextStep(report, now) {
  if (report.probing.length > 0) return "A probe is under way; if it succeeds, the circuit closes.";
  if (report.state === "HALF_OPEN") return "The next call to it will be the probe.";
  if (report.retryAt === undefined) return "It stays so until somebody closes it.";
  return `It is tried again ${until(report.retryAt, now)}.`;
}

// Announces transitions to screen readers; those that arrive together in one announcement.
let pending = [];

export function announce(text) {
  pending.push(text);
  if (pending.length > 1) return;
  setTimeout(() => {
    const announced = pending.length > 4 ? [...pending.slice(0, 3), `and ${pending.length - 3} more changes`] : pending;
    pending = [];
    byId("announcer").textContent = announced.join(". ");
  }, 300);
}

export const transitionText = (key, { from, to }, reason) =>
  `${key} went from ${stateName(from)} to ${stateName(to)}: ${reason}`;
