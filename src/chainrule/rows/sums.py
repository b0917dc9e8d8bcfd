"""In which order the sums of blocks are added, so that bits depend on the data alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def tree_sum(parts: Iterable[Any]) -> Any:
    """Add neighbours, then the sums of neighbours: rounding grows as log n, not as n.

    Sums are joined as soon as their neighbour is there, so that no more than log n of them
    are kept at a time.
    """
    kept: list[tuple[int, Any]] = []  # sums of 2^k parts, k falling
    for part in parts:
        level = 0
        while kept and kept[-1][0] == level:
            part = kept.pop()[1] + part
            level += 1
        kept.append((level, part))
    total = kept.pop()[1]
    while kept:
        total = kept.pop()[1] + total
    return total
