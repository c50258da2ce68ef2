"""The ways of failing over from a first model to a second that are measured side by side, and what is written of them."""
import asyncio
import contextlib
import importlib.util
import itertools
import json
import pathlib
import shutil

from common import processes

NUMBERS = itertools.count()
# max_fails and fail_timeout are the defaults. Without `non_idempotent` a POST is not tried at the next server:
# https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_next_upstream
NGINX = """
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  access_log off;
  upstream models {{
    zone models 64k;
    server 127.0.0.1:{first} max_fails=1 fail_timeout=10s;
    server 127.0.0.1:{second} backup;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://models; proxy_next_upstream error timeout http_503 non_idempotent; }}
  }}
}}
"""
# `balance first` keeps the order and yet lets a retry reach the second server; a `backup` gets none while the first is up. The
# list of models answers while one of them is dead, so the check succeeds. error-limit, inter and rise are the defaults.
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:{port}
  default_backend models
backend models
  balance first
  option redispatch 1
  option httpchk GET /v1/models
  retries 2
  retry-on RETRY
  default-server maxconn 1000 check observe layer7 error-limit 10 on-error mark-down inter 2s rise 2
  server first 127.0.0.1:{first}
  server second 127.0.0.1:{second}
"""
LITELLM = """
model_list:
- model_name: chat
  litellm_params: {{ model: openai/m, api_base: "http://127.0.0.1:{first}/v1", api_key: k }}
- model_name: spare
  litellm_params: {{ model: openai/m, api_base: "http://127.0.0.1:{second}/v1", api_key: k }}
router_settings:
  fallbacks: [{{ chat: [spare] }}]
  redis_host: 127.0.0.1
  redis_port: {redis}
"""
SWITCHBOARD = """
[providers.first]
kind = "openai"
base_url = "http://127.0.0.1:{first}/v1"
api_key = "k"
[providers.second]
kind = "openai"
base_url = "http://127.0.0.1:{second}/v1"
api_key = "k"
[routes.chat]
models = ["first:m", "second:m"]
"""


def request(model, instance):
    """A request of its own: equal ones would be one requester's, which the gateway does not let speak for all others."""
    content = f"Hello, this is call {next(NUMBERS)}"
    return {"model": model, "user": str(instance), "messages": [{"role": "user", "content": content}]}


def by_http(ports):
    """Calls one of the instances; whether it answered."""
    async def call(instance):
        body = json.dumps(request("chat", instance))
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nauthorization: Bearer k\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[instance])
        with contextlib.closing(writer):
            writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
            return b" 200 " in await reader.readline()
    return call


def by_sdk(ports):
    """What an application writes by itself: the SDK retries, then `except` goes to the second model."""
    import openai

    first, second = (openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=2) for port in ports)

    async def call(instance):
        question = request("m", instance)
        try:
            await first.chat.completions.create(**question)
        except openai.APIError:
            await second.chat.completions.create(**question)
        return True
    return call


def proxies(command, config, file, environment=None, wait=30):
    """Starts instances of a program, each in a folder of its own, and gives the function that calls them."""
    def start(stack, provider, work, instances):
        redis, ports = processes.free_port(), [processes.free_port() for _ in range(instances)]
        if shutil.which("redis-server"):
            stack.enter_context(processes.running(["redis-server", "--port", redis, "--save", ""], redis, work))
        for port in ports:
            folder = pathlib.Path(work, str(port))
            folder.mkdir()
            names = dict(zip(("first", "second"), provider.ports), port=port, redis=redis)
            (folder / file).write_text(config.format(**names))
            variables = {name: value.format(**names) for name, value in (environment or {}).items()}
            parts = [part.format(**names) for part in command]
            stack.enter_context(processes.running(parts, port, folder, variables, wait))
        return by_http(ports)
    return start


class Way:
    """A way of failing over: how to start it, with how many instances, and what its documentation says of it."""

    def __init__(self, name, needs, start, instances, version, remembers, shared, finds_out):
        self.name, self.needs, self.start, self.instances, self.version = name, needs, start, instances, version
        self.says = {"remembers": remembers, "shared": shared, "finds_out": finds_out}


def ways(program, peers):
    """All ways whose programs are there."""
    serve = [program, "serve", "--listen", "127.0.0.1:{port}"]
    switchboard = {"REDIS_URL": "redis://127.0.0.1:{redis}", "SWITCHBOARD_LOG": "warn"}
    nginx = proxies(["nginx", "-p", ".", "-c", "nginx.conf"], NGINX, "nginx.conf")
    balancer = ["haproxy", "-db", "-f", "haproxy.cfg"]
    haproxy = lambda retry_on: proxies(balancer, HAPROXY.replace("RETRY", retry_on), "haproxy.cfg")
    command = ["litellm", "--config", "config.yaml", "--host", "127.0.0.1", "--port", "{port}", "--num_workers", "1"]
    unset = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}  # It listens on loopback alone.
    litellm = lambda settings: proxies(command, LITELLM + settings, "config.yaml", unset, 240)
    table = [
        # https://github.com/openai/openai-python/blob/main/README.md#retries: each request is retried by itself, twice.
        Way("openai SDK, `except`", "openai", lambda stack, provider, work, instances: by_sdk(provider.ports), [1], None,
            "no", "no", "every call tries it"),
        # https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server (max_fails, fail_timeout), and #zone: the state
        # is shared by worker processes.
        Way("nginx", "nginx", nginx, [1, 3], ["nginx", "-v"],
            "yes, for `fail_timeout` (10 s)", "by workers, not by instances", "a client's call, after each `fail_timeout`"),
        # https://docs.haproxy.org/2.6/configuration.html#4.2-retry-on: retries are of one request. That `observe` does not see
        # what is retried is measured here, and not documented.
        Way("HAProxy, `retry-on 503`", "haproxy", haproxy("conn-failure 503"), [1, 3], ["haproxy", "-v"],
            "no", "no", "every call tries it"),
        # https://docs.haproxy.org/2.6/configuration.html#5.2-observe, #5.2-on-error, #5.2-rise; and #3.5: peers share
        # stick-tables, and servers' states are none.
        Way("HAProxy, `observe layer7`", "haproxy", haproxy("conn-failure"), [1, 3], ["haproxy", "-v"],
            "yes, until 2 health checks succeed", "no", "health checks of a URL, not of the model"),
        # https://docs.litellm.ai/docs/router/learn/reliability (cooldowns). The only deployment of a model group gets none
        # unless allowed_fails differs from its default, 3: litellm/router_utils/cooldown_handlers.py of 1.108.7.
        Way("LiteLLM, defaults", "litellm", litellm(""), [1], ["litellm", "--version"],
            "no, where a model has one deployment", "-", "every call tries it"),
        # The same, and https://docs.litellm.ai/docs/router/learn/shared_state: cooldowns and counts of failures are in Redis,
        # and an instance compares its copy of a cooldown every second.
        Way("LiteLLM, `allowed_fails: 2`", "litellm", litellm("  allowed_fails: 2\n"), [1, 3], ["litellm", "--version"],
            "yes, for `cooldown_time` (5 s)", "yes, by Redis", "clients' calls, after each `cooldown_time`"),
        # docs/guarantees.md, B and F.
        Way("Switchboard", "redis-server", proxies(serve, SWITCHBOARD, "switchboard.toml", switchboard), [1, 3],
            [program, "--version"], "yes", "yes, by Redis", "one probe of all instances, after 5 s to 15 s"),
    ]
    there = lambda need: importlib.util.find_spec(need) if need == "openai" else shutil.which(need)
    return [way for way in table if there(way.needs) and (peers or way.needs != "litellm")]
