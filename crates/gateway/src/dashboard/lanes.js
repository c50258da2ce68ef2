// What is known of a circuit's past, as segments of one phase. No DOM.

import { phaseAfter, phaseOf, sinceOf } from "./phase.js";

// { phase, from, to, reason }, oldest first; none before the first thing that is known. `transitions`: newest first.
export function segmentsOf(report, transitions, firstSeen, end) {
  const changes = transitions.filter(({ at }) => at <= end).reverse();
  const parts = [];
  let part = firstPart(report, changes, firstSeen);
  if (part === null) return parts;
  for (const change of changes) {
    parts.push({ ...part, to: change.at });
    part = { phase: phaseAfter(change), from: change.at, reason: change.reason };
  }
  parts.push(...lastParts(part, report, end));
  return parts.filter(({ from, to, phase }) => to > from && phase !== "unknown" && phase !== "idle");
}

function firstPart(report, changes, firstSeen) {
  if (changes.length > 0) {
    return { phase: phaseAfter({ to: changes[0].from }), from: Math.min(changes[0].at, firstSeen) };
  }
  if (!report) return null;
  const before = report.state === "HALF_OPEN" && sinceOf(report) > report.since ? { ...report, state: "OPEN" } : report;
  const since = report.state === "CLOSED" ? Math.min(report.since, firstSeen) : report.since;
  return { phase: phaseOf(before), from: since, reason: report.reason };
}

// The history may lack the last transition, and time alone makes none.
function lastParts(part, report, end) {
  const phase = report ? phaseOf(report) : null;
  if (phase === null || phase === part.phase) return report ? [{ ...part, to: end }] : [];
  const since = Math.min(end, Math.max(part.from, sinceOf(report)));
  return [{ ...part, to: since }, { phase, from: since, to: end, reason: report.reason }];
}
