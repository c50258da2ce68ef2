// An application that calls its providers itself and uses Switchboard's circuits: acquire a permit, call, report the
// outcome.
//
//   SWITCHBOARD=http://127.0.0.1:4100 PROVIDER=https://api.openai.com/v1 MODELS=openai:gpt-5.4,openai:gpt-5.4-mini npm start

const switchboard = process.env.SWITCHBOARD ?? "http://127.0.0.1:4100";
const provider = process.env.PROVIDER ?? "https://api.openai.com/v1";
const models = (process.env.MODELS ?? "openai:gpt-5.4,openai:gpt-5.4-mini").split(",");
const calls = Number(process.env.CALLS ?? "1");

type Permit = { permit: string; key: string; epoch: number; probe: boolean; until: number; instance: string };

/** The provider's error type and code, by which Switchboard distinguishes an exhausted quota from a rate limit. */
type ErrorFields = { type?: string; code?: string };

type Outcome =
  | { outcome: "success" }
  | { outcome: "none" }
  | ({ outcome: "failure"; status: number; retryAfter?: string } & ErrorFields)
  | { outcome: "failure"; kind: "connection" | "timeout" | "invalid" | "cut" };

/** An HTTP error of the provider. */
class ProviderError extends Error {
  constructor(readonly status: number, readonly fields: ErrorFields, readonly retryAfter: string | null) {
    super(`HTTP ${status}`);
  }
}

async function post(path: string, body: unknown): Promise<Response> {
  const key = process.env.SWITCHBOARD_API_KEY;
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
  const signal = AbortSignal.timeout(2_000);
  return fetch(switchboard + path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

/** A permit for one call of this model. "unknown": Switchboard is unreachable, so the call is made without a permit. */
async function acquirePermit(model: string): Promise<Permit | "open" | "unknown"> {
  try {
    const response = await post(`/circuits/${encodeURIComponent(model)}/permits`, { for: "60s" });
    if (response.status === 503 && response.headers.get("x-switchboard-error") === "circuit_open") return "open";
    return response.ok ? ((await response.json()) as Permit) : "unknown";
  } catch {
    return "unknown";
  }
}

/** Reports how the call ended. A lost report is harmless: the permit expires. */
async function reportOutcome(permit: Permit | "unknown", outcome: Outcome): Promise<void> {
  if (permit === "unknown") return;
  const path = `/circuits/${encodeURIComponent(permit.key)}/permits/${permit.permit}`;
  await post(path, outcome).catch(() => undefined);
}

async function errorFields(response: Response): Promise<ErrorFields> {
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
    throw new ProviderError(response.status, await errorFields(response), response.headers.get("retry-after"));
  }
  const body = (await response.json()) as { choices: [{ message: { content: string } }] };
  return body.choices[0].message.content;
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof ProviderError) {
    const { status, fields, retryAfter } = error;
    const wait = retryAfter !== null && /^\d+$/.test(retryAfter) ? { retryAfter: `${retryAfter}s` } : {};
    return { outcome: "failure", status, ...fields, ...wait };
  }
  if (error instanceof DOMException && error.name === "TimeoutError") return { outcome: "failure", kind: "timeout" };
  if (error instanceof SyntaxError) return { outcome: "failure", kind: "invalid" };
  return { outcome: "failure", kind: "connection" };
}

/** Calls the models in order until one responds. */
async function complete(prompt: string): Promise<{ model: string; text: string }> {
  const skipped: string[] = [];
  for (const model of models) {
    const permit = await acquirePermit(model);
    if (permit === "open") {
      skipped.push(`${model}: circuit open`);
      continue;
    }
    try {
      const text = await call(model, prompt);
      await reportOutcome(permit, { outcome: "success" });
      return { model, text };
    } catch (error) {
      await reportOutcome(permit, outcomeOf(error));
      skipped.push(`${model}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`no model answered: ${skipped.join("; ")}`);
}

for (let number = 1; number <= calls; number += 1) {
  const { model } = await complete("Say hello.");
  console.log(`call ${number}: answered by ${model}`);
}
