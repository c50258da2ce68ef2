"""The stream helpers of the official Python SDKs, each against models of all four API formats: only its base URL is changed.

MODELS has the models. Each thinks, says a text and calls a tool, in the API format of its provider.
"""

import os
from itertools import groupby

import anthropic
import openai
from google import genai

GATEWAY = os.environ["GATEWAY"]
MODELS = os.environ["MODELS"].split()
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
PROMPT = "What is the weather in Paris?"
WEATHER = "It is sunny."

openai_client = openai.OpenAI(base_url=GATEWAY + "/v1", api_key="unused", max_retries=0)
anthropic_client = anthropic.Anthropic(base_url=GATEWAY, api_key="unused", max_retries=0)
google_client = genai.Client(api_key="unused", http_options={"base_url": GATEWAY})


def check(what, model, text, call, finish):
    name = model.split(":")[1]
    assert text == f"Hello from {name}.", (what, model, text)
    assert call == ("get_weather", {"city": "Paris"}), (what, model, call)
    print(what, model, finish)


def chat(model):
    tool = {"name": "get_weather", "parameters": PARAMETERS, "strict": True}
    tools = [{"type": "function", "function": tool}]
    messages = [{"role": "user", "content": PROMPT}]
    for _ in range(2):
        with openai_client.chat.completions.stream(model=model, messages=messages, tools=tools) as stream:
            deltas = "".join(event.delta for event in stream if event.type == "content.delta")
            choice = stream.get_final_completion().choices[0]
        assert deltas == choice.message.content, deltas
        call = choice.message.tool_calls[0]
        check("chat", model, deltas, (call.function.name, call.function.parsed_arguments), choice.finish_reason)
        assert choice.finish_reason == "tool_calls", choice
        messages.append(choice.message.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": WEATHER})


def responses(model):
    tools = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": True}]
    conversation = [{"role": "user", "content": PROMPT}]
    for _ in range(2):
        request = {"model": model, "input": conversation, "tools": tools, "store": False}
        with openai_client.responses.stream(include=["reasoning.encrypted_content"], **request) as stream:
            deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            response = stream.get_final_response()
        assert deltas == response.output_text, deltas
        call = next(item for item in response.output if item.type == "function_call")
        check("responses", model, deltas, (call.name, call.parsed_arguments), response.status)
        assert response.status == "completed" and response.usage.output_tokens > 0, response
        conversation += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
        conversation.append({"type": "function_call_output", "call_id": call.call_id, "output": WEATHER})


def messages(model):
    tools = [{"name": "get_weather", "input_schema": PARAMETERS}]
    conversation = [{"role": "user", "content": PROMPT}]
    for _ in range(2):
        request = {"model": model, "max_tokens": 2048, "messages": conversation, "tools": tools}
        with anthropic_client.messages.stream(**request) as stream:
            deltas = "".join(stream.text_stream)
            message = stream.get_final_message()
        call = next(block for block in message.content if block.type == "tool_use")
        check("messages", model, deltas, (call.name, call.input), message.stop_reason)
        assert message.stop_reason == "tool_use" and message.usage.output_tokens > 0, message
        conversation.append({"role": "assistant", "content": message.content})
        result = {"type": "tool_result", "tool_use_id": call.id, "content": WEATHER}
        conversation.append({"role": "user", "content": [result]})


def gemini(model):
    declaration = {"name": "get_weather", "parameters_json_schema": PARAMETERS}
    config = {
        "tools": [{"function_declarations": [declaration]}],
        "automatic_function_calling": {"disable": True},
    }
    chunks = list(google_client.models.generate_content_stream(model=model, contents=PROMPT, config=config))
    check("gemini", model, *gathered(chunks))
    chat = google_client.chats.create(model=model, config=config)
    check("gemini chat", model, *gathered(chat.send_message_stream(PROMPT)))
    result = genai.types.Part.from_function_response(name="get_weather", response={"result": WEATHER})
    check("gemini chat", model, *gathered(chat.send_message_stream(result)))
    # It keeps each chunk as a content of its own.
    roles = [role for role, _ in groupby(content.role for content in chat.get_history(curated=True))]
    assert roles == ["user", "model"] * 2, chat.get_history()


def gathered(chunks):
    """The text, the call and the finish reason of a stream."""
    text, calls, finish = "", [], None
    for chunk in chunks:
        candidate = chunk.candidates[0]
        parts = candidate.content.parts if candidate.content and candidate.content.parts else []
        text += "".join(part.text for part in parts if part.text and not part.thought)
        calls += [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
        finish = candidate.finish_reason or finish
    assert finish == genai.types.FinishReason.STOP, finish
    return text, calls[0], finish


for helper in (chat, responses, messages, gemini):
    for model in MODELS:
        helper(model)
print("all well")
