// How things are said: times, lengths, states, reasons.

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

// Between a number and its unit no line ends.
const NO_BREAK = "\u00a0";

// "14:03:22", with the day if it is not today.
export function clock(at, now) {
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  return sameDay ? time.format(at) : `${date.format(at)}, ${time.format(at)}`;
}

// "4 s", "2 min 5 s", "3 h 10 min", "2 days 4 h": the two largest units.
export function length(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}${NO_BREAK}s`;
  const parts = [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = parts.findIndex(([, size]) => seconds >= size);
  let rest = seconds;
  const words = parts.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest %= size;
    const name = unit === "day" && count !== 1 ? "days" : unit;
    return count > 0 ? `${count}${NO_BREAK}${name}` : "";
  });
  return words.filter((word) => word !== "").join(NO_BREAK);
}

// "in 4 s", "now". A countdown rounds up: "in 0 s" would be a lie.
export const until = (at, now) => (at > now ? `in ${length(Math.ceil((at - now) / 1000) * 1000)}` : "now");

// "840 ms", "2.4 s".
export function latency(ms) {
  return ms < 1000 ? `${Math.round(ms)}${NO_BREAK}ms` : `${(ms / 1000).toFixed(1)}${NO_BREAK}s`;
}

export const percent = (part, whole) => `${Math.round((100 * part) / whole)}${NO_BREAK}%`;

export const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;

const STATES = {
  CLOSED: { word: "closed", sign: "✓" },
  HALF_OPEN: { word: "half-open", sign: "◐" },
  OPEN: { word: "open", sign: "✕" },
};

export const stateWord = (state) => STATES[state]?.word ?? String(state);
export const stateSign = (state) => STATES[state]?.sign ?? "?";

const CAUSES = {
  connection: "no connection",
  timeout: "timeout",
  status: "",
  invalid: "invalid answer",
  cut: "answer cut off",
  rate_limited: "rate limited",
  quota: "quota or credit spent",
  unknown_model: "the provider does not know the model",
  probe: "its time came and a probe was let through",
  recovered: "a probe succeeded",
  manual: "by hand",
  reset: "reset",
  foreign: "written by Open SWE or redis-cli",
  restored: "written back after Redis lost its data",
  merged: "learnt while Redis was away",
};

// The reason of a transition in a few words, as the program's own tables have it.
export function reasonWords(reason) {
  if (!reason) return "";
  const code = reason.code === reason.type ? undefined : reason.code;
  const words = [CAUSES[reason.kind] ?? reason.kind, reason.status && `HTTP ${reason.status}`, reason.type, code];
  const text = words.filter(Boolean).join(" ");
  return reason.why ? `${text}: ${reason.why}` : text;
}
