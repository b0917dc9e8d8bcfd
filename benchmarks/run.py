"""Run all benchmarks and write RESULTS.md; of those that are named, only their sections.

python benchmarks/run.py uci scikit_learn
"""

from __future__ import annotations

import datetime
import sys

import boosted_trees
import evaluation
import growth
import honesty
import many_outputs
import nist
import passes
import scikit_learn
import seed_fit
import small_tables
import startup
import time_to_cost
import uci
from _timing import RESULTS, MissingData, machine

BENCHMARKS = (
    evaluation,
    many_outputs,
    seed_fit,
    time_to_cost,
    nist,
    scikit_learn,
    uci,
    boosted_trees,
    small_tables,
    startup,
    growth,
    passes,
    honesty,
)
HEAD = """# Results

Written by `make bench`. Where others are compared, it is first proved that the answers
agree; then all ways are timed alternately in one run. Ratios are medians over the
repeats unless it is said otherwise.
"""


def main(names):
    """Run those that are named, or all, and put their sections in their places."""
    sections = known_sections()
    for benchmark in BENCHMARKS:
        name = benchmark.__name__
        if names and name not in names:
            continue
        print(f"{name} ...", flush=True)
        try:
            lines = benchmark.run()
        except MissingData as missing:
            lines = [f"## {name}: not run", "", f"{missing}."]
        when = f"{datetime.date.today().isoformat()}. {machine()}"
        sections[name] = [f"<!-- {name} -->", *lines, "", when]
        write(sections)  # at once: the next one may take an hour, and fail
    print(RESULTS.read_text())


def write(sections):
    """Write what is known, in the order of the benchmarks."""
    parts = [sections[b.__name__] for b in BENCHMARKS if b.__name__ in sections]
    RESULTS.write_text(HEAD + "".join("\n" + "\n".join(part) + "\n" for part in parts))


def known_sections():
    """Return the sections of RESULTS.md under the names of their benchmarks."""
    sections, name = {}, None
    for line in RESULTS.read_text().splitlines():
        if line.startswith("<!-- "):
            name = line[5:-4]
            sections[name] = []
        if name:
            sections[name].append(line)
    return {name: "\n".join(lines).rstrip().splitlines() for name, lines in sections.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
