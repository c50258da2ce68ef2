"""The file of accepted counts, and the comparison of what was measured with it."""
import json
import os
import pathlib
import platform
import subprocess

MOST = 0.03
# Differences of two calls have the noise of both: some 90 instructions.
MOST_OF = {"open_circuit": 0.15, "log_line": 0.06}
FUNCTIONS = 100
SHOWN = 8


def toolchain():
    """What the counts depend on besides the program's source: another compiler, C library or processor counts otherwise."""
    ask = lambda *command: subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    return {
        "rustc": ask("rustc", "--version"),
        "glibc": os.confstr("CS_GNU_LIBC_VERSION"),
        "valgrind": ask("valgrind", "--version"),
        "processor": platform.machine() + (" with AVX2" if " avx2 " in flags else ""),
    }


def differing(accepted, machine):
    """How the machine's tools differ from those of the accepted counts, in words; empty where they do not."""
    return ", ".join(f"{now} instead of {accepted.get(name)}" for name, now in machine.items() if accepted.get(name) != now)


def summarize(rows):
    """What is kept of measured rows: the total of each, and its most expensive functions."""
    return {
        name: {
            "total": round(sum(counts.values())),
            "functions": {function: round(count) for function, count in counts.most_common(FUNCTIONS) if count >= 1},
        }
        for name, (_, counts) in rows.items()
    }


def write(path, tools, rows):
    path.write_text(json.dumps({"toolchain": tools, "instructions": rows}, indent=1, ensure_ascii=False) + "\n")


def compare(before, after):
    """Two texts for people: what rose by more than the tolerance, with the functions that grew most, and what fell as much."""
    rises, falls = [], []
    for name, row in after.items():
        if name not in before:
            rises.append(f"{name}: {row['total']:,} instructions, and no count was accepted")
            continue
        old, new = before[name]["total"], row["total"]
        change = f"{name}: {old:,} → {new:,} instructions ({(new - old) / old:+.1%})"
        most = MOST_OF.get(name, MOST)
        if new > old * (1 + most):
            rises.append("\n".join([change, *grown(before[name]["functions"], row["functions"])]))
        elif new < old * (1 - most):
            falls.append(change)
    rises += [f"{name}: it was accepted, and is not measured any more" for name in before if name not in after]
    return "\n".join(rises), "\n".join(falls)


def grown(before, after):
    """The functions that grew most, one a line. One that was too cheap to be kept had at most what the last one kept had."""
    least = min(before.values(), default=0)
    growth = {name: count - before.get(name, min(least, count)) for name, count in after.items()}
    for name in sorted(growth, key=growth.get, reverse=True)[:SHOWN]:
        if growth[name] > 0:
            old = f"{before[name]:,}" if name in before else f"at most {least:,}"
            yield f"  {growth[name]:+9,}  {name} ({old} → {after[name]:,})"
