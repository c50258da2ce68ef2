// The stream helpers of the official Node SDKs, each against models of all four API formats: only its base URL is changed.
// MODELS has the models. Each thinks, says a text and calls a tool, in the API format of its provider.

import assert from "node:assert/strict";

import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

const { GATEWAY, MODELS } = process.env;
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const prompt = "What is the weather in Paris?";
const conversation = [{ role: "user", content: prompt }];

const openai = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "unused", maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: GATEWAY, apiKey: "unused", maxRetries: 0 });
const google = new GoogleGenAI({ apiKey: "unused", httpOptions: { baseUrl: GATEWAY } });

async function chat(model) {
  const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
  const stream = openai.chat.completions.stream({ model, messages: conversation, tools });
  const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
  assert.equal(finish_reason, "tool_calls");
  const call = message.tool_calls[0].function;
  return [message.content, call.name, JSON.parse(call.arguments)];
}

async function responses(model) {
  const tools = [{ type: "function", name: "get_weather", parameters, strict: true }];
  const response = await openai.responses.stream({ model, input: conversation, tools, store: false }).finalResponse();
  assert.equal(response.status, "completed");
  const call = response.output.find((item) => item.type === "function_call");
  return [response.output_text, call.name, JSON.parse(call.arguments)];
}

async function messages(model) {
  const tools = [{ name: "get_weather", input_schema: parameters }];
  const stream = anthropic.messages.stream({ model, max_tokens: 2048, messages: conversation, tools });
  let text = "";
  stream.on("text", (word) => (text += word));
  const message = await stream.finalMessage();
  assert.equal(message.stop_reason, "tool_use");
  const call = message.content.find((block) => block.type === "tool_use");
  return [text, call.name, call.input];
}

async function gemini(model) {
  const config = { tools: [{ functionDeclarations: [{ name: "get_weather", parametersJsonSchema: parameters }] }] };
  const chat = google.chats.create({ model, config });
  let answer = await gathered(await chat.sendMessageStream({ message: prompt }));
  const functionResponse = { name: "get_weather", response: { result: "It is sunny." } };
  answer = await gathered(await chat.sendMessageStream({ message: [{ functionResponse }] }));
  return answer;
}

async function gathered(stream) {
  let text = "";
  let call;
  let finish;
  for await (const chunk of stream) {
    const candidate = chunk.candidates[0];
    for (const part of candidate.content?.parts ?? []) {
      if (part.text && !part.thought) text += part.text;
      call ??= part.functionCall;
    }
    finish = candidate.finishReason ?? finish;
  }
  assert.equal(finish, "STOP");
  return [text, call.name, call.args];
}

for (const helper of [chat, responses, messages, gemini]) {
  for (const model of MODELS.split(" ")) {
    const [text, name, input] = await helper(model);
    assert.equal(text, `Hello from ${model.split(":")[1]}.`);
    assert.deepEqual([name, input], ["get_weather", { city: "Paris" }]);
    console.log(helper.name, model);
  }
}
console.log("all well");
