// The API of the gateway.

const KEY = "switchboard-key";

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => sessionStorage.setItem(KEY, text),
  remove: () => sessionStorage.removeItem(KEY),
};

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

// As much as there is: 1,000 changes of 7 days.
export const history = async (model) => (await json(`${pathOf(model)}/history?limit=1000`)).history;

export async function operate(model, action, body, withKey) {
  await request(`${pathOf(model)}/${action}`, { method: "POST", body, withKey });
}
