"""What an optimizer may ask of its problem, and what it must offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chainrule._contracts import Array


class Problem(Protocol):
    """A cost to be minimized, without any knowledge of where it comes from."""

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """Return J and g."""

    def accept(self, theta: Array) -> bool:
        """Take `theta` as the next iteration; return True to stop."""


class Optimizer(Protocol):
    """A way to minimize."""

    @property
    def name(self) -> str:
        """The name under which it is reported."""

    def run(self, problem: Problem, theta: Array) -> Callable[[Array], Array] | None:
        """Minimize; return an estimate of g -> H⁻¹ g at the end, or None."""
