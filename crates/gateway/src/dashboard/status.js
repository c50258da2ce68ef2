// The top of the page: connection, Redis, verdict; the tab's title and icon.

import { Keyed, attr, byId, element, modelLink, setText, show, span } from "./dom.js";
import { clock, count, until } from "./format.js";
import { verdictOf } from "./health.js";

const MAX_PROBLEMS = 3;

const LIVE = {
  connecting: ["Connecting", "neutral"],
  live: ["Live", "good"],
  lost: ["Disconnected", "unknown"],
  key: ["Signed out", "neutral"],
};

const STORES = {
  connected: ["Redis connected", "good"],
  degraded: ["Redis unreachable", "warning"],
  embedded: ["Single process (no Redis)", "neutral"],
};

// By tone: the verdict's sign, and the fill and mark of the tab's icon.
const TONES = {
  good: ["✓", "#1a7f4b", "M4.5 8.5l2.5 2.5 4.5-5.5"],
  neutral: ["○", "#6b7280", ""],
  warning: ["!", "#b45309", "M8 4v4.5M8 11v.6"],
  bad: ["✕", "#c81e2b", "M5.5 5.5l5 5M10.5 5.5l-5 5"],
  unknown: ["?", "#9ca3af", "M3.5 12.5l9-9"],
};

export function showChips(feed, { store, instance, instances, role, version }) {
  chip("live", LIVE[feed.state]);
  setText("version", version && `v${version}`);
  for (const id of ["store", "instance", "role"]) show(id, store !== null && (id !== "role" || role !== ""));
  if (store === null) return;
  const [text, tone] = STORES[store.state] ?? [store.state, "neutral"];
  chip("store", [text, feed.state === "live" ? tone : "unknown"], store.url);
  const number = instances?.length ?? 0;
  chip("instance", [number > 1 ? `${number} instances` : `Instance ${instance}`, "neutral"], `This page is served by instance ${instance}`);
  chip("role", [role === "admin" ? "Admin" : "View only", "neutral"]);
  for (const id of ["cli-note", "empty-note"]) show(id, store.state !== "embedded");
}

function chip(id, [text, tone], title = "") {
  setText(id, text);
  attr(id, "data-tone", tone);
  attr(id, "title", title);
}

// Problems of the page's connection and of Redis.
export function showBanners(feed, { store, instance, lostAt }, error) {
  show("lost", lostAt !== null);
  if (lostAt !== null) {
    setText("lost-text", lostAt === 0
      ? `Cannot load circuits: ${error?.message ?? "no response"}.`
      : `Disconnected. Last update ${clock(lostAt, Date.now())}.`);
    setText("lost-retry", `Reconnecting ${until(feed.retryAt, Date.now())}.`);
  }
  const isUnreachable = store?.state === "degraded";
  show("away", isUnreachable);
  if (isUnreachable) {
    const why = store.error ? ` (${store.error})` : "";
    setText("away-text", `Redis unreachable – requests are still served. Each instance uses its own circuit state; showing instance ${instance}.${why}`);
  }
}

const problems = new Keyed("problems", (id) => {
  const name = id.slice(1);
  const [sign, text] = [span("sign"), span()];
  const label = id.startsWith("r") ? [element("strong", {}, `Route ${name}`), ": "] : [modelLink(name), " – "];
  return { node: element("li", {}, sign, " ", ...label, text), sign, text };
});

export function showVerdict(state) {
  const { tone, title, note, tab, problems: all } = verdictOf(state);
  attr("verdict", "data-tone", tone);
  setText("verdict-sign", TONES[tone][0]);
  setText("verdict-title", title);
  setText("verdict-note", note);
  showTab(tone, tab);
  const listed = all.slice(0, MAX_PROBLEMS);
  problems.draw(listed, ({ key, route }) => (route === undefined ? `m${key}` : `r${route}`), (part, problem) => {
    attr(part.node, "data-phase", problem.phase);
    setText(part.sign, problem.sign);
    setText(part.text, problem.text);
  });
  show("more-problems", all.length > listed.length);
  setText("more-problems", `And ${all.length - listed.length} more below.`);
}

export function showTab(tone, tab) {
  const title = tab.length > 1 ? `${tab} – Switchboard` : `${tab} Switchboard`.trim();
  if (document.title !== title) document.title = title;
  const [, fill, mark] = TONES[tone];
  const svg = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='${fill}'/>` +
    `<path d='${mark}' stroke='#fff' stroke-width='2' fill='none'/></svg>`;
  attr("icon", "href", `data:image/svg+xml,${encodeURIComponent(svg)}`);
}
