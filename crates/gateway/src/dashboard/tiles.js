// The four figures at the top.

import { byId, setText } from "./dom.js";
import { count, latency, percent, rate } from "./format.js";
import { Figure } from "./sparkline.js";
import { settled, sum } from "./traffic.js";

const tiles = [
  ["Requests a second", "line", "calm"],
  ["Failed requests", "bars", "bad", "Errors of gateway or providers that callers got, last 15 minutes"],
  ["Answered by fallbacks", "line", "warning", "Share that another model than the route's first answered, last minute"],
  ["p95 to first token", "line", "calm", "Newest 10 s with requests"],
].map((each) => new Figure(each));
byId("tiles").append(...tiles.map(({ node }) => node));

export function showTiles(state, isLive) {
  const figures = figuresOf(state.traffic, state.now());
  tiles.forEach((tile, index) => tile.show({ ...figures[index], ...(isLive ? {} : { tone: "unknown" }) }));
  setText("scope", scopeOf(state));
}

function figuresOf(traffic, now) {
  const { total } = traffic;
  const recent = traffic.recent(total, now);
  if (recent === null) return [];
  const { requests, failed, fallbacks, ttftP95Ms } = total;
  const [all, allFailed] = [sum(requests), sum(failed)];
  return [
    { text: rate(recent.rate), note: "req/s", values: settled(requests), tone: "neutral" },
    {
      text: allFailed.toLocaleString("en"),
      note: all > 0 ? `${percent(allFailed, all)} in 15 min` : "no requests",
      values: failed,
      tone: recent.failed > 0 ? "bad" : "neutral",
    },
    {
      text: recent.requests > 0 ? percent(recent.fallbacks, recent.requests) : "–",
      note: recent.requests > 0 ? count(recent.fallbacks, "request") : "",
      values: requests.map((number, index) => (number > 0 ? (fallbacks[index] ?? 0) / number : null)),
      top: 1,
      tone: recent.fallbacks > 0 ? "warning" : "neutral",
    },
    {
      text: recent.ttftP95Ms === null ? "–" : latency(recent.ttftP95Ms),
      note: recent.ttftP50Ms === null ? "" : `p50 ${latency(recent.ttftP50Ms)}`,
      values: ttftP95Ms ?? [],
      tone: "neutral",
    },
  ];
}

// The fleet's sum and one instance's view are not to be taken for each other.
function scopeOf({ traffic, instances, instance }) {
  if (traffic.scope === null) return "This gateway reports no traffic.";
  if (traffic.scope === "instance") return `Instance ${instance} alone, last 15 minutes`;
  return `${instances?.length > 1 ? `Sum of ${instances.length} instances, last` : "Last"} 15 minutes`;
}
