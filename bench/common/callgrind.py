"""Reads what callgrind writes: the instructions of each function, without those of the functions it calls."""
import collections
import re

HASH = re.compile(r"(::h[0-9a-f]{16}|\[[0-9a-f]{8,16}\])(?=::|$|[^0-9a-z])|'\d+$| \(\.llvm\.\d+\)|\.llvm\.\d+")
ADDRESS = re.compile(r"0x[0-9a-f]+$")
LONGEST = 140


def self_counts(path):
    """Instructions by function. Functions whose names differ by no more than a hash are one."""
    names, counts, name, skip = {}, collections.Counter(), None, False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith(("fn=", "cfn=")):
                number, _, full = line.partition("=")[2].strip().partition(" ")
                if full:
                    names[number] = readable(full)
                if line.startswith("fn="):
                    name = names[number]
            elif line.startswith("calls="):
                skip = True  # The next line is what the called function cost.
            elif line[0] in "0123456789+-*" and not skip:
                counts[name] += int(line.split()[1])
            else:
                skip = False
    return counts


def readable(name):
    """A name that is the same in the next build, and short: generic arguments of the third level and deeper are left out."""
    name = HASH.sub("", name)
    if ADDRESS.match(name) or name == "???":
        return "(no symbol)"
    for depth in (2, 1, 0):
        short = without_arguments(name, depth)
        if len(short) <= LONGEST:
            return short
    return short[:LONGEST]


def without_arguments(name, depth):
    """The name without what stands in more than so many pairs of angle brackets."""
    kept, level = [], 0
    for at, letter in enumerate(name):
        opens, closes = letter == "<", letter == ">" and name[at - 1 : at] != "-"
        if closes:
            level -= 1
        if level <= depth:
            kept.append(letter)
        if opens:
            level += 1
            if level == depth + 1:
                kept.append("…")
    return "".join(kept)
