"""Run all benchmarks and write RESULTS.md."""

from __future__ import annotations

import datetime

import evaluation
import nist
import seed_fit
from _timing import RESULTS, machine


def main():
    parts = [
        "# Results",
        "",
        "Written by `make bench`. Each benchmark first proves that the answers agree, then times",
        "all ways alternately in one run; ratios are medians over the repeats.",
        "",
        f"{datetime.date.today().isoformat()}. {machine()}",
    ]
    for benchmark in (seed_fit, evaluation, nist):
        parts += ["", *benchmark.run()]
    RESULTS.write_text("\n".join(parts) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
