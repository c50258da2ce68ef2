"""Reads bodies, one a line, and prints which of them do not fit the types of the official SDKs.

A request must fit the parameters of its call (the TypedDicts of openai and anthropic, the pydantic models of
google-genai), with no other fields. An answer, an error and each event of a stream must fit the SDK's models, strictly;
fields that a model of openai's or anthropic's does not know are let through, as the SDKs do.
"""

import collections.abc
import functools
import json
import sys
import types
import typing
import warnings

import pydantic
import typing_extensions
from anthropic.types import ErrorResponse, Message, RawMessageStreamEvent
from anthropic.types import message_create_params as message_params
from google.genai import types as gemini
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat import completion_create_params as chat_params
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses import response_create_params as response_params
from openai.types.shared import ErrorObject

REQUESTS = {
    ("chat", False): chat_params.CompletionCreateParamsNonStreaming,
    ("chat", True): chat_params.CompletionCreateParamsStreaming,
    ("responses", False): response_params.ResponseCreateParamsNonStreaming,
    ("responses", True): response_params.ResponseCreateParamsStreaming,
    ("messages", False): message_params.MessageCreateParamsNonStreaming,
    ("messages", True): message_params.MessageCreateParamsStreaming,
}
ANSWERS = {
    ("chat", False): ChatCompletion,
    ("chat", True): ChatCompletionChunk,
    ("responses", False): Response,
    ("responses", True): ResponseStreamEvent,
    ("messages", False): Message,
    ("messages", True): RawMessageStreamEvent,
    ("gemini", False): gemini.GenerateContentResponse,
    ("gemini", True): gemini.GenerateContentResponse,
}
# The SDK's models of the parts of a Gemini request.
GEMINI_PARTS = {
    "contents": list[gemini.Content],
    "systemInstruction": gemini.Content,
    "tools": list[gemini.Tool],
    "toolConfig": gemini.ToolConfig,
    "safetySettings": list[gemini.SafetySetting],
    "generationConfig": gemini.GenerationConfig,
    "cachedContent": str,
    "labels": dict[str, str],
    "serviceTier": str,
}
# The types ask for these, and the APIs do not: their documentation leaves them away.
OPTIONAL = {"strict", "detail", "annotations", "status", "logprobs"}
# What a response has that never came about.
FAILED = {
    "id": "", "created_at": 0, "model": "", "object": "response", "output": [], "parallel_tool_calls": True,
    "tool_choice": "auto", "tools": [],
}
# Servers of OpenAI's format that reason want it back under a name that is not OpenAI's. The newest version of Anthropic's
# API takes no sampling; translated calls are made in the version before, whose models do.
COMMON = {"chat": {"reasoning_content"}, "messages": {"temperature", "top_p", "top_k"}}


def bare(kind):
    """The type without Required and the like, and whether it is Required."""
    required = None
    while True:
        origin = typing_extensions.get_origin(kind)
        if origin in (typing_extensions.Required, typing_extensions.NotRequired):
            required, kind = origin is typing_extensions.Required, typing_extensions.get_args(kind)[0]
        elif origin is typing.Annotated:
            kind = typing_extensions.get_args(kind)[0]
        elif isinstance(kind, (typing_extensions.TypeAliasType,)):
            kind = kind.__value__
        else:
            return kind, required


@functools.cache
def fields(kind):
    return {name: bare(hint) for name, hint in typing_extensions.get_type_hints(kind, include_extras=True).items()}


def is_optional(name, kind):
    return name in OPTIONAL or name == "id" and kind.__name__ == "ResponseOutputMessageParam"


def object_faults(value, kind, at, known):
    if not isinstance(value, dict):
        return [f"{at} is no object"]
    hints = fields(kind)
    faults = [f"{at}.{name} is unknown" for name in value if name not in hints and name not in known]
    for name, (hint, required) in hints.items():
        if name in value:
            faults += typed_faults(value[name], hint, f"{at}.{name}", known)
        elif (required or required is None and name in kind.__required_keys__) and not is_optional(name, kind):
            faults.append(f"{at}.{name} is missing")
    return faults


def tag(value, kind):
    """How well the type or role of an object is that of the TypedDict, so that only its faults are told."""
    kind, _ = bare(kind)
    if not (typing_extensions.is_typeddict(kind) and isinstance(value, dict)):
        return 0
    hints = fields(kind)
    tags = [(value.get(name), typing_extensions.get_args(hints[name][0])) for name in ("type", "role") if name in hints]
    return sum(1 if found in allowed else -1 for found, allowed in tags)


def typed_faults(value, kind, at, known):
    """What of a JSON value does not fit a type of a TypedDict's field."""
    kind, _ = bare(kind)
    origin, arguments = typing_extensions.get_origin(kind), typing_extensions.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        tried = [(typed_faults(value, option, at, known), option) for option in arguments]
        faults, _ = min(tried, key=lambda one: (bool(one[0]), -tag(value, one[1]), len(one[0])))
        return faults
    if typing_extensions.is_typeddict(kind):
        return object_faults(value, kind, at, known)
    if origin is typing.Literal:
        return [] if value in arguments else [f"{at} is {value!r}, not one of {arguments}"]
    if origin is not None and issubclass(origin, collections.abc.Mapping):
        return [] if isinstance(value, dict) else [f"{at} is no object"]
    if origin is not None and issubclass(origin, collections.abc.Iterable):
        if not isinstance(value, list):
            return [f"{at} is no list"]
        return [fault for index, one in enumerate(value) for fault in typed_faults(one, arguments[0], f"{at}[{index}]", known)]
    fits = {
        str: lambda: isinstance(value, str),
        bool: lambda: isinstance(value, bool),
        int: lambda: isinstance(value, int) and not isinstance(value, bool),
        float: lambda: isinstance(value, (int, float)) and not isinstance(value, bool),
        type(None): lambda: value is None,
        object: lambda: True,
        typing.Any: lambda: True,
    }
    if kind in fits:
        return [] if fits[kind]() else [f"{at} is {value!r}, not {kind.__name__}"]
    # Files and dates, which are no JSON.
    return [f"{at} is {value!r}, not {kind}"]


@functools.cache
def adapter(kind):
    return pydantic.TypeAdapter(kind)


@functools.cache
def by_type(union):
    """The models of a union by the type that they are for."""
    models = {}
    for model in typing_extensions.get_args(bare(union)[0]):
        for name in typing_extensions.get_args(model.model_fields["type"].annotation):
            models[name] = model
    return models


def model_faults(value, kind, strict):
    if typing_extensions.get_origin(bare(kind)[0]) in (typing.Union, types.UnionType):
        found = by_type(kind).get(value.get("type")) if isinstance(value, dict) else None
        if found is None:
            return [f"there is no event like {json.dumps(value)[:200]}"]
        kind = found
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            adapter(kind).validate_python(value, strict=strict)
        return [str(warning.message) for warning in warned if "is not a valid" in str(warning.message)]
    except pydantic.ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        return told[:8]


def request_faults(sample):
    body, format = sample["body"], sample["format"]
    if format != "gemini":
        kind = REQUESTS[format, body.get("stream") is True]
        return object_faults(body, kind, "body", COMMON.get(format, set()))
    faults = [f"{name} is unknown" for name in body if name not in GEMINI_PARTS]
    for name, kind in GEMINI_PARTS.items():
        if name in body:
            faults += [f"{name}.{fault}" for fault in model_faults(body[name], kind, False)]
    return faults


def error_faults(body, format):
    if format == "messages":
        return model_faults(body, ErrorResponse, True)
    error = body.get("error") if isinstance(body, dict) else None
    if format == "gemini":
        fits = isinstance(error, dict) and isinstance(error.get("code"), int)
        return [] if fits and isinstance(error.get("status"), str) else [f"no code and status in {json.dumps(body)[:200]}"]
    return model_faults(error, ErrorObject, True)


def event_faults(event, format):
    if format == "chat" and event == "[DONE]":
        return []
    if format == "messages" and event == {"type": "ping"}:
        return []
    if format == "responses" and isinstance(event, dict) and event.get("type") == "response.failed":
        # The gateway's own end of a cut stream: it repeats nothing of the response, and has codes of its own.
        event = {**event, "response": {**FAILED, **event["response"], "error": None}}
    is_error = isinstance(event, dict) and (event.get("type") == "error" if format == "messages" else "error" in event)
    if is_error and format != "responses":
        return error_faults(event, format)
    return model_faults(event, ANSWERS[format, True], format != "gemini")


def faults(sample):
    format, body = sample["format"], sample["body"]
    if sample["kind"] == "request":
        return request_faults(sample)
    if sample["kind"] == "error":
        return error_faults(body, format)
    if not sample["stream"]:
        return model_faults(body, ANSWERS[format, False], format != "gemini")
    return [f"event {index}: {fault}" for index, event in enumerate(body) for fault in event_faults(event, format)]


unfit = []
for line in sys.stdin:
    sample = json.loads(line)
    if found := faults(sample):
        unfit.append({"name": sample["name"], "kind": sample["kind"], "faults": found[:6]})
json.dump(unfit, sys.stdout)
