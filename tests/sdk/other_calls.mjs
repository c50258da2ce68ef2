// OpenAI's other calls by its official SDK, each of them, at a route whose first model is dead.

import assert from "node:assert/strict";

import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: `${process.env.GATEWAY}/v1`, apiKey: "unused", maxRetries: 0 });
const model = "planner";
const TEXT = "Hello from gpt-5.";
const wav = () => toFile(Buffer.alloc(20_000, "RIFF"), "hello.wav", { type: "audio/wav" });
const png = () => toFile(Buffer.alloc(4_000, "PNG"), "a.png", { type: "image/png" });

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const { data } = await client.embeddings.create({ model, input: "Hello" });
assert.equal(String.fromCharCode(...data[0].embedding), TEXT);

assert.equal((await client.completions.create({ model, prompt: "Hello" })).choices[0].text, TEXT);
const chunks = await collect(await client.completions.create({ model, prompt: "Hello", stream: true }));
assert.equal(chunks.map((chunk) => chunk.choices[0]?.text ?? "").join(""), TEXT);

assert.equal((await client.moderations.create({ input: "Hello" })).model, "omni-moderation-latest");

assert.ok((await client.images.generate({ model, prompt: "Hello" })).data[0].b64_json);
assert.ok((await client.images.edit({ model, image: await png(), prompt: "Hello" })).data[0].b64_json);
assert.ok((await client.images.createVariation({ model, image: await png() })).data[0].b64_json);
const images = await collect(await client.images.generate({ model, prompt: "Hello", stream: true }));
assert.equal(images.at(-1).type, "image_generation.completed");

const speech = await client.audio.speech.create({ model, input: "Hello", voice: "alloy" });
assert.equal(await speech.text(), TEXT);
const spoken = await client.audio.speech.create({ model, input: "Hello", voice: "alloy", stream_format: "sse" });
assert.match(await spoken.text(), /speech\.audio\.done/);

assert.equal((await client.audio.transcriptions.create({ model, file: await wav() })).text, TEXT);
const transcript = await collect(await client.audio.transcriptions.create({ model, file: await wav(), stream: true }));
assert.equal(transcript.at(-1).text, TEXT);
assert.equal((await client.audio.translations.create({ model, file: await wav() })).text, TEXT);

const rerank = await client.post("/rerank", { body: { model, query: "Hello", documents: ["a"] } });
assert.equal(rerank.results[0].index, 0);

await assert.rejects(
  client.embeddings.create({ model: "anthropic:claude-sonnet-5", input: "Hello" }),
  (error) => error instanceof OpenAI.BadRequestError && error.code === "unsupported_api",
);
console.log("all well");
