// The API of the gateway.

// Kept for this tab only.
const KEY = "switchboard-key";

// The gateway responded with an error.
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  // Another key may be accepted.
  get needsOtherKey() {
    return this.status === 401 || this.status === 403;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => sessionStorage.setItem(KEY, text),
  remove: () => sessionStorage.removeItem(KEY),
};

// A successful response, or an error.
export async function request(path, { method = "GET", body, headers = {}, signal, withKey = key.get() } = {}) {
  const allHeaders = { ...headers };
  if (withKey) allHeaders.authorization = `Bearer ${withKey}`;
  if (body !== undefined) allHeaders["content-type"] = "application/json";
  const text = body === undefined ? undefined : JSON.stringify(body);
  const url = new URL(path, document.baseURI);
  const response = await fetch(url, { method, headers: allHeaders, body: text, signal, cache: "no-store" });
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({}));
  throw new ApiError(response.status, error?.code, error?.message ?? `HTTP ${response.status}`);
}

const json = async (path, options) => (await request(path, options)).json();

const pathOf = (model) => `circuits/${encodeURIComponent(model)}`;

export const circuits = (signal) => json("circuits", { signal });

export const history = async (model, limit) => (await json(`${pathOf(model)}/history?limit=${limit}`)).history;

export async function operate(model, action, body, withKey) {
  await request(`${pathOf(model)}/${action}`, { method: "POST", body, withKey });
}
