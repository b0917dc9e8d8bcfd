"""Whole processes: how long it takes until the first help, and until the tutorial's fit is done."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from _timing import alternate, machine, ratio

ROWS = "hours_sleep,hours_study,score\n3,5,75\n5,1,82\n10,2,93\n"
REPEATS = 15
NOTHING = "python -c pass"
IMPORT = "import sklearn.neural_network"


def process(*command, cwd):
    """Return a way to time a whole process."""

    def way():
        started = time.perf_counter()
        subprocess.run(command, cwd=cwd, check=True, capture_output=True)
        return time.perf_counter() - started

    return way


def run():
    python, program = sys.executable, str(Path(sys.executable).with_name("chainrule"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "study.csv").write_text(ROWS)
        ways = {
            NOTHING: process(python, "-c", "pass", cwd=folder),
            "chainrule --help": process(program, "--help", cwd=folder),
            "chainrule --version": process(program, "--version", cwd=folder),
            "chainrule fit study.csv": process(
                program, "fit", "study.csv", "--target", "score", "--out", "model.json", cwd=folder
            ),
            f"python -c '{IMPORT}'": process(python, "-c", IMPORT, cwd=folder),
        }
        try:
            ways[f"python -c '{IMPORT}'"]()
        except subprocess.CalledProcessError:
            del ways[f"python -c '{IMPORT}'"]
        seconds = alternate(ways, REPEATS)
    lines = [
        "## Starting: whole processes",
        "",
        "| process | ms | times an empty one |",
        "|---|---|---|",
    ]
    for name, of_way in seconds.items():
        lines.append(
            f"| `{name}` | {np.median(of_way) * 1e3:.0f} | {ratio(seconds, name, NOTHING):.1f} |"
        )
    return lines


if __name__ == "__main__":
    print(machine(), *run(), sep="\n")
