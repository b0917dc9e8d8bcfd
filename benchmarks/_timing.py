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
from chainrule.kernels import native

RESULTS = Path(__file__).parent / "RESULTS.md"


PAUSE = 0.02  # seconds: threads of the one before may spin on for a while
LONG = 0.1  # seconds


class MissingData(Exception):
    """The data sets are no part of the repository, and they are not beside it."""


def data_folder():
    """Return the folder of data sets, which are no part of the repository."""
    folder = Path(os.environ.get("CHAINRULE_DATA", "../shared/data"))
    if not folder.is_dir():
        raise MissingData(f"{folder} is not there; set CHAINRULE_DATA to the folder of data sets")
    return folder


def alternate(ways, repeats, most_seconds=np.inf):
    """Time each way in turn, up to `repeats` times over; return a list of seconds for each.

    A way that measures itself, as one in another process does, returns its seconds.
    """
    seconds = {name: [] for name in ways}
    began = time.perf_counter()
    for k in range(repeats):
        if k >= 3 and time.perf_counter() - began > most_seconds:
            break
        for name, way in ways.items():
            time.sleep(PAUSE)
            seconds[name].append(_burst(way))
    return seconds


def _burst(way):
    """Return the seconds of one call: of several in a row, the first not counted, if short."""
    started = time.perf_counter()
    own = way()
    first = time.perf_counter() - started
    if isinstance(own, float):
        return own
    if first > LONG:
        return first
    calls = max(1, int(LONG / max(first, 1e-6)))
    started = time.perf_counter()
    for _ in range(calls):
        way()
    return (time.perf_counter() - started) / calls


def ratio(seconds, peer, ours):
    """Return the median over the repeats of peer / ours: noise that slows both cancels."""
    pairs = zip(seconds[peer], seconds[ours], strict=True)
    return statistics.median(a / b for a, b in pairs)


def machine():
    """Return one line on the machine and the versions."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor()
    return (
        f"{model}, {platform.system()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, chainrule {chainrule.__version__} "
        f"({native.build() or 'reference'} kernel, {native.threads()} threads)"
    )
