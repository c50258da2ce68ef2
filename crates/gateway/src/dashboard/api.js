// The gateway's own API.

// Kept for this tab only.
const KEY = "switchboard-key";

// The gateway answered, and said no.
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  // Another key would help.
  get wantsKey() {
    return this.status === 401 || this.status === 403;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => sessionStorage.setItem(KEY, text),
  forget: () => sessionStorage.removeItem(KEY),
};

// A response of 200, or an error that says why not.
export async function request(path, { method = "GET", body, headers = {}, signal, withKey = key.get() } = {}) {
  const all = { ...headers };
  if (withKey) all.authorization = `Bearer ${withKey}`;
  if (body !== undefined) all["content-type"] = "application/json";
  const text = body === undefined ? undefined : JSON.stringify(body);
  const url = new URL(path, document.baseURI);
  const response = await fetch(url, { method, headers: all, body: text, signal, cache: "no-store" });
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Refused(response.status, answer.error?.code, answer.error?.message ?? `HTTP ${response.status}`);
}

const json = async (path, options) => (await request(path, options)).json();

const of = (model) => `circuits/${encodeURIComponent(model)}`;

export const circuits = (signal) => json("circuits", { signal });

export const history = async (model, limit) => (await json(`${of(model)}/history?limit=${limit}`)).history;

export async function operate(model, act, body, withKey) {
  await request(`${of(model)}/${act}`, { method: "POST", body, withKey });
}
