// The official Node SDKs with their own retries, straight at a provider and through the gateway: one line for each call.
//
// FAULTS has the faults; the model `{fault}.{client}.{way}` has it. Everything runs at once, as most of the time is waiting.

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const { OPENAI, ANTHROPIC, GATEWAY, FAULTS } = process.env;
const messages = [{ role: "user", content: "Hello" }];
const ways = { straight: [OPENAI, ANTHROPIC], through: [`${GATEWAY}/v1`, GATEWAY] };

const clients = {
  "openai-node": (way, model) =>
    new OpenAI({ baseURL: ways[way][0], apiKey: "unused" }).chat.completions.create({ model, messages }),
  "anthropic-node": (way, model) =>
    new Anthropic({ baseURL: ways[way][1], apiKey: "unused" }).messages.create({ model, messages, max_tokens: 64 }),
};

async function call(fault, client, way) {
  const began = performance.now();
  let error = null;
  try {
    await clients[client](way, `${fault}.${client}.${way}`);
  } catch (raised) {
    error = `${raised.constructor.name} ${raised.status ?? ""}`;
  }
  console.log(JSON.stringify({ fault, client, way, error, seconds: (performance.now() - began) / 1000 }));
}

const jobs = FAULTS.split(" ").flatMap((fault) =>
  Object.keys(clients).flatMap((client) => Object.keys(ways).map((way) => call(fault, client, way))),
);
await Promise.all(jobs);
