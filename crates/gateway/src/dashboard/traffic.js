// Traffic of the last 15 minutes in buckets, oldest first.

export const MAX_BUCKETS = 90;

// A minute, with the bucket that still grows.
const RECENT_BUCKETS = 6;

export class Traffic {
  // "fleet" or "instance"; null: not reported.
  scope = null;
  bucketMs = 10_000;
  end = 0;
  total = null;
  routes = {};
  models = {};

  apply(data) {
    if (!data?.total || !(data.bucketMs > 0)) return {};
    const shift = this.#shift(data);
    const arrivals = this.scope === null ? {} : this.#arrivals(data, shift);
    const { scope, bucketMs, end, total, routes = {}, models = {} } = data;
    Object.assign(this, { scope, bucketMs, end, total, routes, models });
    return arrivals;
  }

  // Takes the newest buckets. Returns the requests that are new, by route.
  merge(data) {
    if (!data?.total || this.scope !== data.scope) return {};
    const shift = this.#shift(data);
    if (shift < 0) return {};
    const arrivals = this.#arrivals(data, shift);
    this.end = data.end;
    this.total = mergeSeries(this.total, data.total, shift);
    for (const kind of ["routes", "models"]) {
      const names = Object.keys({ ...this[kind], ...data[kind] });
      this[kind] = Object.fromEntries(names.map((name) => [name, mergeSeries(this[kind][name], data[kind]?.[name], shift)]));
    }
    return arrivals;
  }

  // The series in the last minute; null: unknown.
  recent(series, now) {
    if (this.scope === null || !series) return null;
    const buckets = series.requests?.slice(-RECENT_BUCKETS).length ?? 0;
    const growing = Math.min(this.bucketMs, Math.max(0, now - this.end + this.bucketMs));
    const seconds = Math.max(1, ((Math.max(1, buckets) - 1) * this.bucketMs + growing) / 1000);
    const figures = { seconds };
    for (const name of ["requests", "failed", "fallbacks", "tokensIn", "tokensOut"]) {
      figures[name] = sum((series[name] ?? []).slice(-RECENT_BUCKETS));
    }
    for (const name of ["ttftP50Ms", "ttftP95Ms", "durationP50Ms", "durationP95Ms"]) {
      figures[name] = (series[name] ?? []).slice(-RECENT_BUCKETS).findLast((value) => value !== null) ?? null;
    }
    figures.rate = figures.requests / seconds;
    return figures;
  }

  // When a model was first called within these buckets.
  firstSeen(model) {
    const requests = this.models[model]?.requests ?? [];
    const first = requests.findIndex((count) => count > 0);
    return first < 0 ? Infinity : this.end - (requests.length - first) * this.bucketMs;
  }

  #shift = (data) => Math.round((data.end - this.end) / this.bucketMs);

  #arrivals(data, shift) {
    const arrivals = {};
    for (const [name, series] of Object.entries(data.routes ?? {})) {
      const old = this.routes[name] ?? {};
      const added = (field) => addedTo(old[field] ?? [], series[field] ?? [], shift);
      arrivals[name] = { requests: added("requests"), failed: added("failed"), fallbacks: added("fallbacks") };
    }
    return arrivals;
  }
}

// Without the newest bucket, which still grows and would look like a fall.
export const settled = (values = []) => (values.length > 1 ? values.slice(0, -1) : values);

export const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);

// The newest buckets replaced, and as many appended as time has passed.
function mergeSeries(old, next = {}, shift) {
  const merged = { ...old, ...next };
  for (const [name, values] of Object.entries(old ?? {})) {
    if (!Array.isArray(values)) continue;
    // Buckets that nobody reported are unknown.
    const moved = [...values, ...Array(Math.min(shift, MAX_BUCKETS)).fill(null)];
    const newest = Array.isArray(next[name]) ? next[name] : [];
    merged[name] = [...moved.slice(0, Math.max(0, moved.length - newest.length)), ...newest].slice(-MAX_BUCKETS);
  }
  return merged;
}

function addedTo(old, next, shift) {
  return next.slice(-3).reduce((total, value, index, newest) => {
    const before = old[old.length - newest.length + index + shift] ?? 0;
    return total + Math.max(0, (value ?? 0) - before);
  }, 0);
}
