"""Programs that are built, started, waited for and stopped, and what the kernel knows about them."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def progress(text):
    print(text, file=sys.stderr, flush=True)


def require(*tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")


def build(*packages, profile="dist", root=ROOT):
    """Paths of the packages' programs, built from the checkout at `root`."""
    progress(f"building {' and '.join(packages)} (profile {profile})")
    command = ["cargo", "build", "--quiet", "--locked", "--profile", profile, "--message-format", "json"]
    command += [argument for package in packages for argument in ("-p", package)]
    built = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    messages = [json.loads(line) for line in built.splitlines()]
    programs = {message["target"]["name"]: message["executable"] for message in messages if message.get("executable")}
    return [programs[package] for package in packages]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextlib.contextmanager
def running(command, port, work, environment=None, wait=30):
    """A server of its own, from the moment it accepts connections; its process."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(work), **(environment or {})}
    with open(pathlib.Path(work, f"log-{port}"), "wb") as log:
        process = subprocess.Popen(list(map(str, command)), cwd=work, env=variables, stdout=log, stderr=log)
    try:
        end = time.monotonic() + wait
        while not accepts(port):
            if process.poll() is not None or time.monotonic() > end:
                text = pathlib.Path(log.name).read_text(errors="replace")[-2000:]
                sys.exit(f"{command[0]} does not accept connections on port {port}:\n{text}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


def accepts(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def gateway_environment(upstream_port, store="memory:", log="warn"):
    """The gateway's variables: OpenAI is the upstream. No `log` is the default of the program."""
    variables = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1", "REDIS_URL": store}
    return variables | ({"SWITCHBOARD_LOG": log} if log else {})


def gateway(program, port):
    return [program, "serve", "--listen", f"127.0.0.1:{port}"]


def processor_seconds(pid):
    """What the process has spent on processors until now, in the program and in the kernel."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """Resident kilobytes of the process: all of them, and those that are its alone."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: int(size.split()[0]) for name, size in (line.split(":") for line in lines)}
    return {"resident": sizes["Rss"], "private_dirty": sizes["Private_Dirty"], "anonymous": sizes["Anonymous"]}
