"""The official SDKs against a gateway that is stopping, behind a load balancer: their users notice nothing.

Each client's first connection leads to the instance that stops, its second to another one.
"""

import os

import anthropic
import openai

gateway = os.environ["GATEWAY"]
hello = [{"role": "user", "content": "Hello"}]

client = openai.OpenAI(base_url=gateway + "/v1", api_key="unused")
answer = client.chat.completions.create(model="openai:gpt-5", messages=hello)
assert answer.choices[0].message.content == "Hello from gpt-5.", answer
print("OpenAI's SDK came back by itself")

client = anthropic.Anthropic(base_url=gateway, api_key="unused")
answer = client.messages.create(model="anthropic:claude-opus-4-5", max_tokens=64, messages=hello)
assert answer.content[0].text == "Hello from claude-opus-4-5.", answer
print("Anthropic's SDK came back by itself")

client = openai.OpenAI(base_url=gateway + "/v1", api_key="unused", max_retries=0)
try:
    client.chat.completions.create(model="openai:gpt-5", messages=hello)
    raise SystemExit("a stopping gateway took a call")
except openai.InternalServerError as error:
    assert error.code == "shutting_down" and error.response.headers["retry-after"] == "1", error
    print("without retries it raises", type(error).__name__, error.code)
client.close()

client = anthropic.Anthropic(base_url=os.environ["STOPPING"], api_key="unused", max_retries=0)
try:
    client.messages.create(model="anthropic:claude-opus-4-5", max_tokens=64, messages=hello)
    raise SystemExit("a stopping gateway took a call")
except anthropic.APIStatusError as error:
    assert error.response.headers["x-switchboard-error"] == "shutting_down", error
    print("without retries it raises", type(error).__name__, error.status_code)
print("all well")
