"""An application that calls its providers itself, and asks Switchboard's circuits for leave: ask, call, tell.

    SWITCHBOARD=http://127.0.0.1:4100 PROVIDER=https://api.openai.com/v1 MODELS=openai:gpt-5.4,openai:gpt-5.4-mini \
        python3 permits.py

Needs nothing but Python 3.9.
"""

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request

SWITCHBOARD = os.environ.get("SWITCHBOARD", "http://127.0.0.1:4100")
PROVIDER = os.environ.get("PROVIDER", "https://api.openai.com/v1")
MODELS = os.environ.get("MODELS", "openai:gpt-5.4,openai:gpt-5.4-mini").split(",")
CALLS = int(os.environ.get("CALLS", "1"))

# What keeps an answer from coming, or from being one.
NO_ANSWER = (OSError, ValueError, http.client.HTTPException)


class CircuitOpen(Exception):
    """The model may not be called now."""


def post(url, body, key, timeout):
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        text = response.read()
    return json.loads(text) if text else None


def permits(model):
    return f"{SWITCHBOARD}/circuits/{urllib.parse.quote(model, safe='')}/permits"


def ask(model):
    """Leave to call this model once. None: Switchboard cannot be asked, so nothing speaks against the call."""
    try:
        return post(permits(model), {"for": "60s"}, os.environ.get("SWITCHBOARD_API_KEY"), 2)
    except urllib.error.HTTPError as error:
        if error.code == 503 and error.headers.get("x-switchboard-error") == "circuit_open":
            wait = error.headers.get("retry-after")
            again = f"ask again in {wait} s" if wait else "until a person closes it"
            raise CircuitOpen(f"its circuit is open, {again}") from None
        return None
    except NO_ANSWER:
        return None


def tell(permit, outcome):
    """How the call ended. That it cannot be told is no reason to fail: a permit without an answer ends by itself."""
    if permit is None:
        return
    try:
        post(f"{permits(permit['key'])}/{permit['permit']}", outcome, os.environ.get("SWITCHBOARD_API_KEY"), 2)
    except NO_ANSWER:
        pass


def call(model, prompt):
    body = {"model": model.split(":", 1)[1], "messages": [{"role": "user", "content": prompt}]}
    answer = post(f"{PROVIDER}/chat/completions", body, os.environ.get("OPENAI_API_KEY"), 50)
    return answer["choices"][0]["message"]["content"]


def names_in(error):
    """The provider's own names for what is wrong: Switchboard tells spent credit from a rate limit by them."""
    try:
        named = json.loads(error.read())["error"]
        return {name: named[name] for name in ("type", "code") if isinstance(named.get(name), str)}
    except (*NO_ANSWER, LookupError, TypeError, AttributeError):
        return {}


def outcome_of(error):
    if isinstance(error, urllib.error.HTTPError):
        outcome = {"outcome": "failure", "status": error.code, **names_in(error)}
        wait = error.headers.get("retry-after", "")
        return {**outcome, "retryAfter": f"{wait}s"} if wait.isdecimal() else outcome
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return {"outcome": "failure", "kind": "timeout"}
    if isinstance(error, OSError):
        return {"outcome": "failure", "kind": "connection"}
    return {"outcome": "failure", "kind": "invalid"}


def complete(prompt):
    """The first model that may be called and answers."""
    why = []
    for model in MODELS:
        try:
            permit = ask(model)
        except CircuitOpen as error:
            why.append(f"{model}: {error}")
            continue
        try:
            text = call(model, prompt)
        except (*NO_ANSWER, LookupError) as error:
            tell(permit, outcome_of(error))
            why.append(f"{model}: {error}")
        else:
            tell(permit, {"outcome": "success"})
            return model, text
    raise RuntimeError(f"no model answered: {'; '.join(why)}")


if __name__ == "__main__":
    for number in range(1, CALLS + 1):
        model, _ = complete("Say hello.")
        print(f"call {number}: answered by {model}")
