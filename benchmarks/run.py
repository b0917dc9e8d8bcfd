"""Run all benchmarks and write RESULTS.md."""

from __future__ import annotations

import datetime

import evaluation
import growth
import nist
import scikit_learn
import seed_fit
import startup
import time_to_cost
from _timing import RESULTS, MissingData, machine


def main():
    parts = [
        "# Results",
        "",
        "Written by `make bench`. Where others are compared, it is first proved that the answers",
        "agree; then all ways are timed alternately in one run. Ratios are medians over the",
        "repeats unless it is said otherwise.",
        "",
        f"{datetime.date.today().isoformat()}. {machine()}",
    ]
    for benchmark in (evaluation, seed_fit, time_to_cost, nist, scikit_learn, startup, growth):
        print(f"{benchmark.__name__} ...", flush=True)
        try:
            parts += ["", *benchmark.run()]
        except MissingData as missing:
            parts += ["", f"## {benchmark.__name__}: not run", "", f"{missing}."]
    RESULTS.write_text("\n".join(parts) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
