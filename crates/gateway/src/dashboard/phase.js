// The phase of a circuit as the page shows it: its state, and for an open one the cause. No DOM.

export const PHASES = {
  open: { name: "open", sign: "✕" },
  cooldown: { name: "cooldown", sign: "◔" },
  half_open: { name: "half-open", sign: "◐" },
  forced: { name: "forced open", sign: "⊘" },
  closed: { name: "closed", sign: "✓" },
  idle: { name: "no requests yet", sign: "○" },
  // A state that this page is too old to know.
  unknown: { name: "unknown", sign: "?" },
};

const RANK = Object.keys(PHASES);

const COOLDOWN_KINDS = ["rate_limited", "quota", "unknown_model"];

export const isCooldown = (reason) => reason?.rule === "rest" || (!reason?.rule && COOLDOWN_KINDS.includes(reason?.kind));

export function phaseOf(report) {
  if (!report) return "idle";
  if (report.state === "CLOSED") return "closed";
  if (report.state === "HALF_OPEN") return "half_open";
  if (report.state !== "OPEN") return "unknown";
  if (report.forced) return "forced";
  return isCooldown(report.reason) ? "cooldown" : "open";
}

export function phaseAfter({ to, reason }) {
  if (to === "CLOSED") return "closed";
  if (to === "HALF_OPEN") return "half_open";
  if (to !== "OPEN") return "unknown";
  // What others write into Redis is as if an operator had done it.
  if (["manual", "foreign"].includes(reason?.kind)) return "forced";
  return isCooldown(reason) ? "cooldown" : "open";
}

export const isOut = (phase) => phase === "open" || phase === "cooldown" || phase === "forced";

export const isUnhealthy = (phase) => isOut(phase) || phase === "half_open" || phase === "unknown";

export const rankOf = (phase) => RANK.indexOf(phase);

export const phaseLabel = (phase) => `${PHASES[phase].sign} ${PHASES[phase].name}`;

// Time alone makes an open circuit half-open: its record still has the time when it opened.
export function sinceOf({ state, since, retryAt }) {
  return state === "HALF_OPEN" && retryAt > since ? retryAt : since;
}
