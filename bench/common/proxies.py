"""The proxies that are measured side by side, each on the first core, in front of one upstream on the second."""
import contextlib
import json
import os
import pathlib
import resource
import shutil
import subprocess

from common import processes

# One worker, connections kept alive on both sides, nothing buffered, so that each event passes at once. A plain response of
# 20 kB fits into one buffer. The second server differs by its log alone.
NGINX = """
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  keepalive_requests 100000000;
  tcp_nodelay on;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_buffering off;
  proxy_buffer_size 32k;
  proxy_buffers 8 32k;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port}; access_log off; location / {{ proxy_pass http://provider; }} }}
  server {{ listen 127.0.0.1:{logging_port}; access_log access.log; location / {{ proxy_pass http://provider; }} }}
}}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:{port}
  default_backend provider
backend provider
  server upstream 127.0.0.1:{upstream} pool-max-conn 1024
"""
LITELLM = """
model_list:
- model_name: gpt-5-mini
  litellm_params: {{ model: openai/gpt-5-mini, api_base: "http://127.0.0.1:{upstream}/v1", api_key: k }}
"""


def cores():
    """The core of the proxies, and that of load and upstream."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise SystemExit("two cores are needed: one for the proxy, one for load and upstream")
    return allowed[0], allowed[1]


def pinned(core, command):
    return ["taskset", "-c", core, *command]


class Proxy:
    """A proxy that runs: where it listens, and the process that works."""

    def __init__(self, name, port, pid, any_body=False):
        self.name, self.port, self.pid, self.any_body = name, port, pid, any_body


@contextlib.contextmanager
def nginx(upstream, work):
    folder = pathlib.Path(work, "nginx")
    folder.mkdir()
    port, logging_port = processes.free_port(), processes.free_port()
    pathlib.Path(folder, "nginx.conf").write_text(NGINX.format(upstream=upstream, port=port, logging_port=logging_port))
    command = pinned(cores()[0], ["nginx", "-p", folder, "-c", "nginx.conf"])
    with processes.running(command, port, work) as process:
        worker = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        yield [Proxy("nginx", port, worker), Proxy("nginx, access log", logging_port, worker)]


@contextlib.contextmanager
def switchboard(program, name, upstream, work, **settings):
    port = processes.free_port()
    environment = processes.gateway_environment(upstream, **settings)
    with processes.running(pinned(cores()[0], processes.gateway(program, port)), port, work, environment) as process:
        yield [Proxy(name, port, process.pid)]


@contextlib.contextmanager
def redis(work):
    port = processes.free_port()
    command = ["redis-server", "--port", port, "--save", "", "--appendonly", "no"]
    with processes.running(pinned(cores()[1], command), port, work):
        yield f"redis://127.0.0.1:{port}"


@contextlib.contextmanager
def haproxy(upstream, work):
    port = processes.free_port()
    pathlib.Path(work, "haproxy.cfg").write_text(HAPROXY.format(upstream=upstream, port=port))
    with processes.running(pinned(cores()[0], ["haproxy", "-db", "-f", "haproxy.cfg"]), port, work) as process:
        yield [Proxy("HAProxy", port, process.pid)]


@contextlib.contextmanager
def litellm(upstream, work):
    port = processes.free_port()
    pathlib.Path(work, "litellm.yaml").write_text(LITELLM.format(upstream=upstream))
    command = ["litellm", "--config", "litellm.yaml", "--host", "127.0.0.1", "--port", port, "--num_workers", "1"]
    # It listens on loopback alone, for a minute, in front of no provider.
    environment = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
    with processes.running(pinned(cores()[0], command), port, work, environment, wait=180) as process:
        yield [Proxy("LiteLLM", port, process.pid, any_body=True)]


def peers():
    """The other proxies that are installed here."""
    return [proxy for name, proxy in (("haproxy", haproxy), ("litellm", litellm)) if shutil.which(name)]


def output(command):
    """What a run of crates/load reports."""
    ended = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        raise SystemExit(f"this failed: {' '.join(map(str, command))}")
    return json.loads(ended.stdout)


def load(program, target, case, *pace, seconds, any_body=False):
    """What the load reports, and how long it was on a processor."""
    options = ["--any-body"] * any_body + ["--seconds", seconds]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = output(pinned(cores()[1], [program, "run", *options, f"127.0.0.1:{target}", case, *pace]))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return report, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
