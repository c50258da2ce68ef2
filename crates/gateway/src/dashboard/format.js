// Formats times, durations, figures and reasons.

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const shortTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

// No line break between a number and its unit.
const NO_BREAK = "\u00a0";

// "14:03:22", with the day if it is not today.
export function clock(at, now) {
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  return sameDay ? time.format(at) : `${date.format(at)}, ${time.format(at)}`;
}

export function axisTime(at, span) {
  if (span > 86_400_000) return weekday.format(at);
  return (span > 900_000 ? shortTime : time).format(at);
}

// "4 s", "2 min 5 s", "3 h 10 min", "2 days 4 h": the two largest units.
export function length(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}${NO_BREAK}s`;
  const parts = [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = parts.findIndex(([, size]) => seconds >= size);
  let remaining = seconds;
  const texts = parts.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(remaining / size);
    remaining %= size;
    const name = unit === "day" && count !== 1 ? "days" : unit;
    return count > 0 ? `${count}${NO_BREAK}${name}` : "";
  });
  return texts.filter((text) => text !== "").join(NO_BREAK);
}

// "in 4 s", "now". A countdown rounds up, so that it never says "in 0 s".
export const until = (at, now) => (at > now ? `in ${length(Math.ceil((at - now) / 1000) * 1000)}` : "now");

export function latency(ms) {
  return ms < 1000 ? `${Math.round(ms)}${NO_BREAK}ms` : `${(ms / 1000).toFixed(1)}${NO_BREAK}s`;
}

// "4.2 %", "38 %"; what is not 0 is never "0 %".
export function percent(part, whole) {
  const value = (100 * part) / whole;
  if (value > 0 && value < 0.1) return `<${NO_BREAK}0.1${NO_BREAK}%`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)}${NO_BREAK}%`;
}

// Requests a second: "412", "12.4", "0.03".
export function rate(value) {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  if (value >= 10 || value === 0) return String(Math.round(value * 10) / 10);
  return String(Math.round(value * 100) / 100);
}

// "940", "18k", "1.2M".
export function compact(value) {
  if (value < 1000) return String(Math.round(value));
  const [size, unit] = value < 1e6 ? [1e3, "k"] : [1e6, "M"];
  return `${value / size < 10 ? (value / size).toFixed(1) : Math.round(value / size)}${unit}`;
}

export const count = (number, name) => `${number} ${name}${number === 1 ? "" : "s"}`;

const CAUSES = {
  connection: "no connection",
  timeout: "timeout",
  status: "",
  invalid: "invalid response",
  cut: "response truncated",
  rate_limited: "rate limited",
  quota: "quota exhausted",
  unknown_model: "model not found",
  probe: "open period ended, probing",
  recovered: "probe succeeded",
  others_succeed: "calls of others succeed",
  manual: "manual",
  reset: "reset",
  foreign: "written by Open SWE or redis-cli",
  restored: "restored after Redis data loss",
  merged: "merged after Redis outage",
};

// A reason as the tables of the commands have it.
export function reasonText(reason) {
  if (!reason) return "";
  const code = reason.code === reason.type ? undefined : reason.code;
  const parts = [CAUSES[reason.kind] ?? reason.kind, reason.status && `HTTP ${reason.status}`, reason.type, code];
  const text = parts.filter(Boolean).join(" ");
  const { why, by, rule } = reason;
  if (why) return by ? `${text} by ${by}: ${why}` : `${text}: ${why}`;
  if (!by) return text;
  return rule ? `${text}, reported by ${by}` : `${text} by ${by}`;
}
