// The top of the page: is it live, is Redis there, how bad is it; and what a screen reader is told.

import { isOut } from "./circuits.js";
import { Keyed, byId, element, setAttribute, setText, show } from "./dom.js";
import { clock, count, length, stateWord, until } from "./words.js";

// More outages are told by the table alone.
const MOST = 3;

const LIVE = {
  connecting: ["Connecting", "neutral"],
  live: ["✓ Live", "good"],
  lost: ["✕ Not live", "bad"],
  key: ["Key needed", "warning"],
};

const STORES = {
  connected: ["✓ Redis connected", "good"],
  degraded: ["✕ Redis away", "bad"],
  embedded: ["Circuits in this process only", "neutral"],
};

export function showChips(feed, picture) {
  chip("live", ...LIVE[feed.state]);
  show(byId("store"), picture.store !== null);
  show(byId("instance"), picture.instance !== "");
  if (picture.store === null) return;
  const [words, tone] = STORES[picture.store.state] ?? [picture.store.state, "neutral"];
  chip("store", picture.store.kind === "memory" ? words : `${words} (${picture.store.url})`, tone);
  chip("instance", `Served by ${picture.instance}`, "neutral");
}

function chip(id, words, tone) {
  setText(byId(id), words);
  setAttribute(byId(id), "data-tone", tone);
}

// What is wrong with the page itself, or with Redis. `asOf`: when the page was last right, by its own clock.
export function showBanners(feed, picture, asOf, error) {
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
  const isAway = picture.store?.state === "degraded";
  show(byId("away"), isAway);
  if (isAway) {
    setText(byId("away").firstElementChild,
      "Redis is away: circuits are not shared. Calls go on, and each instance breaks by what it sees itself; what " +
      `you see is what ${picture.instance} knows. (${picture.store.error ?? "no particulars"})`);
  }
}

const outages = new Keyed(byId("outages"), () => {
  const name = element("strong");
  const words = element("span");
  return { node: element("li", {}, name, " ", words), name, words };
});

export function showVerdict(circuits, now) {
  const out = circuits.filter(isOut);
  show(byId("verdict"), circuits.length > 0);
  setAttribute(byId("verdict"), "data-tone", out.length > 0 ? "bad" : "good");
  const all = count(circuits.length, "model", "models");
  const verdict = out.length > 0 ? `✕ ${out.length} of ${all} out` : `✓ ${circuits.length === 1 ? "The one model is" : `All ${all} are`} in use`;
  setText(byId("verdict-title"), verdict);
  document.title = out.length > 0 ? `✕ ${out.length} out – Switchboard` : "✓ Switchboard";
  const told = out.slice(0, MOST);
  const parts = outages.arrange(told.map(({ key }) => key));
  parts.forEach((part, index) => {
    setText(part.name, told[index].key);
    setText(part.words, outage(told[index], now));
  });
  show(byId("meanwhile"), out.length > 0);
  const more = out.length > MOST ? `And ${out.length - MOST} more, see below. ` : "";
  setText(byId("meanwhile"), `${more}${meanwhile(circuits, out)}`);
}

// What calls meet now. Routes are not known here, only models.
function meanwhile(circuits, out) {
  if (out.length < circuits.length) {
    return "Meanwhile routes go on with their next model; one that has none left refuses its calls.";
  }
  return "No model is left: but for probes, calls are refused until one is back. Close one that you know to be well, or " +
    "put another model on the routes.";
}

// What has happened, what is being done, what can be done.
function outage(report, now) {
  const since = `${clock(report.since, now)} (${length(now - report.since)})`;
  return `is ${stateWord(report.state)} since ${since}: ${report.explanation}. ${done(report, now)}`;
}

function done(report, now) {
  if (report.probing.length > 0) return "A probe is under way; if it succeeds, the circuit closes.";
  if (report.state === "HALF_OPEN") return "The next call to it will be the probe.";
  if (report.retryAt === undefined) return "It stays so until somebody closes it.";
  return `It is tried again ${until(report.retryAt, now)}.`;
}

// Changes of state in words, for those who hear the page. Several at once are told together.
let waiting = [];

export function announce(words) {
  waiting.push(words);
  if (waiting.length > 1) return;
  setTimeout(() => {
    const told = waiting.length > 4 ? [...waiting.slice(0, 3), `and ${waiting.length - 3} more changes`] : waiting;
    waiting = [];
    byId("announcer").textContent = told.join(". ");
  }, 300);
}

export const transitionWords = (key, { from, to }, reason) =>
  `${key} went from ${stateWord(from)} to ${stateWord(to)}: ${reason}`;
