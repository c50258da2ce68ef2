// The verdict: is anyone affected? Pure functions of the state.

import { clock, count, length, percent, until } from "./format.js";
import { PHASES, isOut, sinceOf } from "./phase.js";

// As severe as an unavailable route.
const SEVERE_SHARE = 0.05;

// { tone, title, note, tab, problems }; a problem is one of a model (`key`) or of a `route`.
export function verdictOf(state) {
  const { lostAt, traffic } = state;
  const models = state.models();
  const down = (state.routes ?? []).filter((route) => route.state === "unavailable");
  const problems = [...routeProblems(down, state.now()), ...modelProblems(models, state.now())];
  if (lostAt !== null) {
    const title = lostAt > 0 ? `Unknown since ${clock(lostAt, Date.now())}` : "Unknown";
    return { tone: "unknown", title, note: "Last known state, may be out of date.", tab: "⚠ Disconnected", problems };
  }
  const now = traffic.recent(traffic.total, state.now());
  const failing = (state.routes ?? []).filter(({ name }) => traffic.recent(traffic.routes[name], state.now())?.failed > 0);
  const judged = models.length === 0
    ? { tone: "neutral", title: "No requests yet", tab: "" }
    : routesDown(down, failing) ?? requestsFailing(now, failing) ?? modelsOut(models, now) ?? probesDue(models, now) ?? calm(now);
  return { note: noteOf(now, state), problems, ...judged };
}

function routesDown(down, failing) {
  if (down.length === 0) return undefined;
  const both = down.filter((route) => failing.includes(route));
  const named = both.length > 0 ? both : down;
  const which = named.length === 1 ? `route ${named[0].name}` : `${named.length} routes`;
  if (both.length > 0) return { tone: "bad", title: `Requests to ${which} are failing`, tab: "✕ Requests failing" };
  const title = `${capital(which)} ${named.length === 1 ? "is" : "are"} unavailable`;
  return { tone: "bad", title, tab: `✕ ${count(named.length, "route")} unavailable` };
}

function requestsFailing(now, failing) {
  if (!(now?.failed > 0)) return undefined;
  const where = failing.length === 1 ? ` (route ${failing[0].name})` : "";
  return {
    tone: now.failed >= now.requests * SEVERE_SHARE ? "bad" : "warning",
    title: `${now.failed} of ${count(now.requests, "request")} failed in the last minute${where}`,
    tab: `✕ ${percent(now.failed, now.requests)} failing`,
  };
}

// With traffic, and none of it failed, the good news comes first.
const lead = (now) => (now?.requests > 0 ? "No requests failing; " : "");

function modelsOut(models, now) {
  const out = models.filter(({ phase }) => isOut(phase));
  if (out.length === 0) return undefined;
  const cooling = out.every(({ phase }) => phase === "cooldown");
  const word = cooling ? "cooling down" : "unavailable";
  // Without traffic and with no model left, the next request may fail.
  const tone = lead(now) === "" && out.length === models.length && !cooling ? "bad" : "warning";
  const title = `${lead(now)}${out.length} of ${count(models.length, "model")} ${word}`;
  return { tone, title, tab: `${cooling ? "◔" : "✕"} ${out.length} ${word}` };
}

function probesDue(models, now) {
  const due = models.filter(({ phase }) => phase === "half_open");
  if (due.length === 0) return undefined;
  const isProbing = due.some(({ report }) => report.probing?.length > 0);
  const word = isProbing ? "being probed" : "waiting for a probe – the next request decides";
  return { tone: "warning", title: `${lead(now)}${count(due.length, "model")} ${word}`, tab: `◐ ${due.length} waiting for a probe` };
}

function calm(now) {
  if (now?.requests > 0) return { tone: "good", title: "All requests are being answered", tab: "✓" };
  return { tone: "neutral", title: "All models available", tab: "" };
}

function noteOf(now, { routes }) {
  if (now === null) return "";
  if (now.requests === 0) return "No requests in the last minute.";
  const where = routes?.length > 0 ? ` on ${count(routes.length, "route")}` : "";
  const fallbacks = now.fallbacks > 0 ? `, ${now.fallbacks} answered by fallbacks` : "";
  return `${count(now.requests, "request")} in the last minute${where}${fallbacks}.`;
}

const routeProblems = (down, now) => down.map(({ name, retryAt }) => {
  const end = !retryAt ? "a circuit is closed manually" : retryAt > now ? `${clock(retryAt, now)} (${until(retryAt, now)})` : "a probe succeeds";
  return { route: name, phase: "open", sign: PHASES.open.sign, text: `no model available. Requests get 503 until ${end}.` };
});

const modelProblems = (models, now) => models
  .filter(({ phase }) => isOut(phase) || phase === "half_open")
  .map(({ key, report, phase }) => ({ key, phase, sign: PHASES[phase].sign, text: storyOf(report, phase, now) }));

// "open for 2 min (since 19:49:03). 3 consecutive failures, last HTTP 503. Next probe in 4 s."
export function storyOf(report, phase, now) {
  const since = sinceOf(report);
  const why = report.explanation ? `${capital(report.explanation)}. ` : "";
  return `${PHASES[phase].name} for ${length(now - since)} (since ${clock(since, now)}). ${why}${nextStep(report, now)}`;
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function nextStep(report, now) {
  if (report.probing?.length > 0) return "A probe is in flight.";
  if (report.state === "HALF_OPEN") return "The next request is the probe.";
  if (report.retryAt === undefined) return "Stays open until closed manually.";
  return `Next probe ${until(report.retryAt, now)}.`;
}

export function nextProbe(report, now) {
  if (report.probing?.length > 0) return `probing (${report.probing.join(", ")})`;
  if (report.state === "HALF_OPEN") return "on the next request";
  if (report.state === "CLOSED") return "–";
  return report.retryAt === undefined ? "manual" : until(report.retryAt, now);
}
