"""Counts to compare with on a machine whose tools are not those of the accepted counts: those of the commit that accepted them."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from common import accepted, counted_calls, processes


def git(*command):
    return subprocess.run(["git", *command], cwd=processes.ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def commit(path):
    """The commit that accepted the counts; None if the working tree or its last commit does."""
    if git("rev-parse", "--is-shallow-repository") == "true":
        sys.exit("the counts of another machine are compared by measuring the commit that accepted them: git fetch --unshallow")
    if git("status", "--porcelain", "--", path):
        return None
    found = git("log", "-1", "--format=%H", "--", path)
    return None if found == git("rev-parse", "HEAD") and not git("status", "--porcelain", "--", "crates", "Cargo.lock") else found


def measure(found, tools, profile):
    """The rows of that commit as this machine counts them. They are kept beside the build."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", processes.ROOT / "target"))
    kept = target / f"instructions-{found}-{profile}.json"
    if kept.exists() and (content := json.loads(kept.read_text()))["toolchain"] == tools:
        return content["instructions"]
    with tempfile.TemporaryDirectory() as work:
        git("worktree", "add", "--quiet", "--detach", work, found)
        try:
            os.environ["CARGO_TARGET_DIR"] = str(target)  # The crates of others are built once.
            [program] = processes.build("switchboard", profile=profile, root=work)
            processes.progress(f"measuring {found}")
            rows = accepted.summarize(counted_calls.measure(program))
        finally:
            git("worktree", "remove", "--force", work)
    accepted.write(kept, tools, rows)
    return rows
