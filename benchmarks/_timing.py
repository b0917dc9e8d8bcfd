"""Timing two ways of doing one thing, alternately, and saying on what."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import scipy

import chainrule

RESULTS = Path(__file__).parent / "RESULTS.md"


def data_folder():
    """Return the folder of data sets, which are no part of the repository."""
    folder = Path(os.environ.get("CHAINRULE_DATA", "../shared/data"))
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not there; set CHAINRULE_DATA to the folder of data sets")
    return folder


def alternate(ways, repeats):
    """Time each way in turn, `repeats` times over; return a list of seconds for each."""
    seconds = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(seconds, peer, ours):
    """Return the median over the repeats of peer / ours: noise that slows both cancels."""
    pairs = zip(seconds[peer], seconds[ours], strict=True)
    return statistics.median(a / b for a, b in pairs)


def machine():
    """Return one line on the machine and the versions."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return (
        f"{model}, {platform.system()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, chainrule {chainrule.__version__}"
    )
