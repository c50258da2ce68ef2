"""In `bench`, `python3 -m unittest common.test_accepted` runs these; so does `cargo test -p switchboard --test conventions`."""
import collections
import pathlib
import tempfile
import unittest

from common import accepted, callgrind

BEFORE = {"call": {"total": 1000, "functions": {"read": 600, "write": 300, "close": 50}}}


def call(total, **functions):
    return {"call": {"total": total, "functions": functions}}


class Comparison(unittest.TestCase):
    def test_table(self):
        rows = [  # what is measured; what the rises and the falls say, line by line
            ("the same", BEFORE, [], []),
            ("2 % more", call(1020, read=620, write=300, close=50), [], []),
            ("2 % less", call(980, read=580, write=300, close=50), [], []),
            (
                "4 % more",
                call(1040, read=605, write=340, close=45),
                ["call: 1,000 → 1,040 instructions (+4.0%)", "        +40  write (300 → 340)", "         +5  read (600 → 605)"],
                [],
            ),
            (
                "4 % more, by a function that was too cheap to be kept",
                call(1040, read=600, write=300, flush=70),
                ["call: 1,000 → 1,040 instructions (+4.0%)", "        +20  flush (at most 50 → 70)"],
                [],
            ),
            ("4 % less", call(960, read=560, write=300, close=50), [], ["call: 1,000 → 960 instructions (-4.0%)"]),
            (
                "a new row",
                BEFORE | {"event": {"total": 7, "functions": {}}},
                ["event: 7 instructions, and no count was accepted"],
                [],
            ),
            ("no row", {}, ["call: it was accepted, and is not measured any more"], []),
        ]
        for what, after, rises, falls in rows:
            with self.subTest(what):
                self.assertEqual(accepted.compare(BEFORE, after), ("\n".join(rises), "\n".join(falls)))

    def test_the_difference_of_two_calls_may_differ_more(self):
        before, after = ({"open_circuit": {"total": total, "functions": {}}} for total in (1000, 1100))
        self.assertEqual(accepted.compare(before, after), ("", ""))

    def test_a_summary_keeps_the_most_expensive_functions_and_the_total_of_all(self):
        counts = collections.Counter({f"f{number}": number + 0.4 for number in range(1, 201)})
        summary = accepted.summarize({"call": ("plain call", counts)})["call"]
        self.assertEqual(summary["total"], 20180)
        self.assertEqual(list(summary["functions"].items())[0], ("f200", 200))
        self.assertEqual(len(summary["functions"]), accepted.FUNCTIONS)


class Baseline(unittest.TestCase):
    def test_table(self):
        tools = {"rustc": "rustc 1.95.0", "glibc": "glibc 2.36"}
        rows = [  # the machine's; whether the file's counts hold for it
            ("the same", tools, True),
            ("another compiler", tools | {"rustc": "rustc 1.96.0"}, False),
            ("another C library", tools | {"glibc": "glibc 2.41"}, False),
        ]
        for what, machine, holds in rows:
            with self.subTest(what):
                self.assertEqual(accepted.differing(tools, machine) == "", holds)


class Callgrind(unittest.TestCase):
    def test_costs_of_called_functions_are_theirs_alone(self):
        text = "events: Ir\n\nfl=(1) a.rs\nfn=(1) a::read::h0123456789abcdef\n0 10\n+3 5\ncfn=(2) a::write\ncalls=2 0\n0 70\n* 1\n"
        text += "\nfn=(2)\n0 70\n\nfn=(3) 0x00000000000012ab\n0 4\n\ntotals: 90\n"
        with tempfile.TemporaryDirectory() as work:
            path = pathlib.Path(work, "callgrind.out")
            path.write_text(text)
            self.assertEqual(callgrind.self_counts(path), {"a::read": 16, "a::write": 70, "(no symbol)": 4})

    def test_names_are_those_of_the_next_build(self):
        names = {
            "<a::B<C> as d::E>::poll::{{closure}}::h0123456789abcdef": "<a::B<C> as d::E>::poll::{{closure}}",
            "a::b'2": "a::b",
            "a::b.llvm.123": "a::b",
            "<a::B<C<D<E>>, fn(F) -> G> as H>::i": "<a::B<C<…>, fn(F) -> G> as H>::i",
        }
        for name, readable in names.items():
            with self.subTest(name):
                self.assertEqual(callgrind.readable(name), readable)


if __name__ == "__main__":
    unittest.main()
