// An Open SWE instance around its real ModelManager, with the arguments and the lines of open_swe.py. ORIGINAL is a
// checkout of an Open SWE whose ModelManager keeps its circuits in Redis (apps/open-swe/src/utils/redis-client.ts), with
// the packages `redis` and `esbuild` in its node_modules. Its files are read as they are; what they import of LangChain
// and of Open SWE's other packages is replaced by nothing, since a circuit needs none of it.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const WATCH_MS = 2;

const { values: given } = parseArgs({
  options: {
    "redis-port": { type: "string" },
    "base-url": { type: "string" },
    model: { type: "string" },
    "timeout-ms": { type: "string" },
    attempts: { type: "string", default: "1" },
    "pace-ms": { type: "string" },
    "every-ms": { type: "string" },
    watch: { type: "boolean", default: false },
  },
});
const attempts = Number(given.attempts);

async function loadManager(original) {
  const utils = join(original, "apps/open-swe/src/utils");
  if (!existsSync(join(utils, "redis-client.ts"))) {
    throw new Error(`no ${utils}/redis-client.ts: this Open SWE keeps its circuits in memory`);
  }
  const require = createRequire(join(original, "package.json"));
  const nothing = {
    name: "nothing",
    setup(build) {
      build.onResolve({ filter: /^(langchain|@langchain|@openswe)\// }, () => ({ path: "nothing", namespace: "nothing" }));
      build.onResolve({ filter: /\/logger\.js$/ }, () => ({ path: "logger", namespace: "nothing" }));
      build.onLoad({ filter: /^nothing$/, namespace: "nothing" }, () => ({
        contents: "module.exports = new Proxy({}, { get: () => class {} })",
      }));
      build.onLoad({ filter: /^logger$/, namespace: "nothing" }, () => ({
        contents: "const log = { debug() {}, info() {}, warn() {}, error() {} };\n" +
          "module.exports = { createLogger: () => log, LogLevel: {} }",
      }));
    },
  };
  const folder = mkdtempSync(join(tmpdir(), "original-"));
  try {
    await require("esbuild").build({
      entryPoints: [join(utils, "llms/model-manager.ts")],
      outfile: join(folder, "manager.cjs"),
      bundle: true,
      platform: "node",
      format: "cjs",
      logLevel: "error",
      plugins: [nothing],
    });
    return require(join(folder, "manager.cjs")).ModelManager;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function say(outcome) {
  process.stderr.write(`${JSON.stringify({ at: Date.now(), turn: outcome })}\n`);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function call() {
  const model = given.model.slice(given.model.indexOf(":") + 1);
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
  const headers = { "content-type": "application/json", "user-agent": "open-swe" };
  try {
    const answer = await fetch(`${given["base-url"]}/chat/completions`, { method: "POST", headers, body });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

// As FallbackRunnable.invoke does it, when it has no other model.
async function turn(manager) {
  let outcome = "refused";
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (!(await manager.isCircuitClosed(given.model))) continue;
    if (await call()) {
      await manager.recordSuccess(given.model);
      outcome = "ok";
      break;
    }
    outcome = "failed";
    if (attempts === 1 || attempt < attempts - 1) await manager.recordFailure(given.model);
  }
  say(outcome);
}

async function watch(manager) {
  for (let before; ; await sleep(WATCH_MS)) {
    const closed = await manager.isCircuitClosed(given.model);
    if (closed !== before) say(closed ? "closed" : "refused");
    before = closed;
  }
}

process.env.REDIS_URL = `redis://127.0.0.1:${given["redis-port"]}`;
const ModelManager = await loadManager(process.env.ORIGINAL);
const manager = new ModelManager({ circuitBreakerTimeoutMs: Number(given["timeout-ms"]) });
// Its client is made by whoever asks first; a second one at the same time would get a client that is not connected yet.
await manager.getCircuitBreakerStatus();
if (given.watch) {
  await watch(manager);
} else if (given["pace-ms"] !== undefined) {
  for (;;) {
    await turn(manager);
    await sleep(Number(given["pace-ms"]));
  }
} else {
  setInterval(() => turn(manager), Number(given["every-ms"]));
}
