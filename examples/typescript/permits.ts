// An application that calls its providers itself, and asks Switchboard's circuits for leave: ask, call, tell.
//
//   SWITCHBOARD=http://127.0.0.1:4100 PROVIDER=https://api.openai.com/v1 MODELS=openai:gpt-5.4,openai:gpt-5.4-mini npm start

const switchboard = process.env.SWITCHBOARD ?? "http://127.0.0.1:4100";
const provider = process.env.PROVIDER ?? "https://api.openai.com/v1";
const models = (process.env.MODELS ?? "openai:gpt-5.4,openai:gpt-5.4-mini").split(",");
const calls = Number(process.env.CALLS ?? "1");

type Permit = { permit: string; key: string; epoch: number; probe: boolean; until: number; instance: string };

/** The provider's own names for what is wrong: Switchboard tells spent credit from a rate limit by them. */
type Names = { type?: string; code?: string };

type Outcome =
  | { outcome: "success" }
  | { outcome: "none" }
  | ({ outcome: "failure"; status: number; retryAfter?: string } & Names)
  | { outcome: "failure"; kind: "connection" | "timeout" | "invalid" | "cut" };

/** The provider answered with this status. */
class ProviderError extends Error {
  constructor(readonly status: number, readonly names: Names, readonly retryAfter: string | null) {
    super(`the provider answered ${status}`);
  }
}

async function post(path: string, body: unknown): Promise<Response> {
  const key = process.env.SWITCHBOARD_API_KEY;
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
  const signal = AbortSignal.timeout(2_000);
  return fetch(switchboard + path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

/** May this model be called? "open": no. "unknown": Switchboard cannot be asked, so nothing speaks against it. */
async function ask(model: string): Promise<Permit | "open" | "unknown"> {
  try {
    const response = await post(`/circuits/${encodeURIComponent(model)}/permits`, { for: "60s" });
    if (response.status === 503 && response.headers.get("x-switchboard-error") === "circuit_open") return "open";
    return response.ok ? ((await response.json()) as Permit) : "unknown";
  } catch {
    return "unknown";
  }
}

/** How the call ended. That it cannot be told is no reason to fail: a permit without an answer ends by itself. */
async function tell(permit: Permit | "unknown", outcome: Outcome): Promise<void> {
  if (permit === "unknown") return;
  const path = `/circuits/${encodeURIComponent(permit.key)}/permits/${permit.permit}`;
  await post(path, outcome).catch(() => undefined);
}

async function namesIn(response: Response): Promise<Names> {
  const body = (await response.json().catch(() => null)) as { error?: Record<string, unknown> } | null;
  const { type, code } = body?.error ?? {};
  return { ...(typeof type === "string" && { type }), ...(typeof code === "string" && { code }) };
}

async function call(model: string, prompt: string): Promise<string> {
  const response = await fetch(`${provider}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${process.env.OPENAI_API_KEY ?? ""}` },
    body: JSON.stringify({
      model: model.slice(model.indexOf(":") + 1),
      messages: [{ role: "user", content: prompt }],
    }),
    signal: AbortSignal.timeout(50_000),
  });
  if (!response.ok) {
    throw new ProviderError(response.status, await namesIn(response), response.headers.get("retry-after"));
  }
  const answer = (await response.json()) as { choices: [{ message: { content: string } }] };
  return answer.choices[0].message.content;
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof ProviderError) {
    const { status, names, retryAfter } = error;
    const wait = retryAfter !== null && /^\d+$/.test(retryAfter) ? { retryAfter: `${retryAfter}s` } : {};
    return { outcome: "failure", status, ...names, ...wait };
  }
  if (error instanceof DOMException && error.name === "TimeoutError") return { outcome: "failure", kind: "timeout" };
  if (error instanceof SyntaxError) return { outcome: "failure", kind: "invalid" };
  return { outcome: "failure", kind: "connection" };
}

/** The first model that may be called and answers. */
async function complete(prompt: string): Promise<{ model: string; text: string }> {
  const why: string[] = [];
  for (const model of models) {
    const permit = await ask(model);
    if (permit === "open") {
      why.push(`${model}: its circuit is open`);
      continue;
    }
    try {
      const text = await call(model, prompt);
      await tell(permit, { outcome: "success" });
      return { model, text };
    } catch (error) {
      await tell(permit, outcomeOf(error));
      why.push(`${model}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`no model answered: ${why.join("; ")}`);
}

for (let number = 1; number <= calls; number += 1) {
  const { model } = await complete("Say hello.");
  console.log(`call ${number}: answered by ${model}`);
}
