"""The interface between an optimizer and its problem."""

from __future__ import annotations

from typing import Any, Protocol

from chainrule._contracts import Array, Evaluation, Residuals


class Problem(Protocol):
    """A cost to be minimized, without any knowledge of where it comes from."""

    @property
    def scale(self) -> float:
        """An ordinary size of the cost, greater than 0."""

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """Return J and g; where they are not finite, a far worse J and g = 0."""

    def cost(self, theta: Array) -> float:
        """Return J, infinite where it is not a number."""

    def gauss_newton(self, theta: Array) -> Evaluation:
        """Return J, g and the Gauss-Newton H."""

    def hessian(self, theta: Array, dear: bool = False) -> Array | None:
        """Return the exact d²J/dθ², None if it is not to be had, or for little unless dear."""

    def residuals(self, theta: Array) -> Residuals | None:
        """Return the residuals behind J if it is better to work with them than with H."""

    def project(self, theta: Array) -> Array:
        """Return the point nearest to `theta` that is admitted: `theta` itself without bounds."""

    def accept(self, theta: Array) -> bool:
        """Take `theta` as the next iteration; return True to stop."""


class Optimizer(Protocol):
    """A way to minimize."""

    @property
    def name(self) -> str:
        """The name under which it is reported."""

    def run(self, problem: Problem, theta: Array) -> Any:
        """Minimize until a rule says stop or nothing lower is found.

        An optimizer that can resume where it stopped returns what it has learned, its
        point among it, and accepts that as a third argument, `memory`.
        """
