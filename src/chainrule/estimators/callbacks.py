"""Callbacks of scikit-learn, which has them from version 1.9 on, in one place.

Each start is a task of the fit, and each iteration a task of its start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    Method = TypeVar("Method", bound=Callable[..., Any])

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Method) -> Method:
        """Return the method as it is."""
        return method


class Tasks:
    """The tasks of a fit, told to whoever listens.

    Parameters
    ----------
    estimator : estimator
        With callbacks set.
    n_starts : int
    max_iter : int or None
    """

    def __init__(self, estimator: Any, n_starts: int, max_iter: int | None) -> None:
        self._estimator, self._max_iter = estimator, max_iter
        self._root = estimator._init_callback_context(max_subtasks=n_starts)
        self._start: Any = None
        self._iteration: Any = None
        self._number = -1
        self._root.call_on_fit_task_begin(estimator=estimator)

    def after(self, start: int, fitted: Mapping[str, Any], **data: Any) -> bool:
        """Say that an iteration has ended with these attributes; return whether to stop."""
        if start != self._number:
            self._end_start()
            self._number = start
            self._start = self._root.subcontext(task_name="start", max_subtasks=self._max_iter)
            self._start.call_on_fit_task_begin(estimator=self._estimator)
            self._begin_iteration()
            return False  # these are the weights it begins with
        stop = self._iteration.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=dict(fitted), **data
        )
        self._begin_iteration()
        return bool(stop)

    def end(self) -> None:
        """Say that all is over."""
        self._end_start()
        self._root.call_on_fit_task_end(estimator=self._estimator)

    def _begin_iteration(self) -> None:
        self._iteration = self._start.subcontext(task_name="iteration")
        self._iteration.call_on_fit_task_begin(estimator=self._estimator)

    def _end_start(self) -> None:
        if self._start is not None:
            self._iteration.call_on_fit_task_end(estimator=self._estimator)
            self._start.call_on_fit_task_end(estimator=self._estimator)


def has_callbacks(estimator: Any) -> bool:
    """Return whether somebody wants to know how a fit goes on."""
    return bool(getattr(estimator, "_skl_callbacks", None))


__all__ = ["CallbackSupportMixin", "Tasks", "has_callbacks", "with_callbacks"]
