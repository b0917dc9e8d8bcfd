"""What ends a computation before its own end: Ctrl-C, a time limit, or whoever watches it.

A long computation asks its `Cancellation` between two steps, and returns what it has found until
then. At the first Ctrl-C nothing is raised in the middle of a step, so nothing is lost.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule._errors import ConfigurationError, TrainingError

INTERRUPTED, TIME_LIMIT = "interrupted", "time_limit"

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Cancellation:
    """Whether a computation has to end, and who is told how far it is.

    Attributes
    ----------
    max_time : float, optional
        Seconds from `began` on.
    progress : callable, optional
        Called now and then with a line of text. A KeyboardInterrupt that it raises is an interrupt
        like any other.
    began : float
        By the monotonic clock.

    Examples
    --------
    >>> cancellation = Cancellation(max_time=60.0)
    >>> cancellation.reason is None
    True
    >>> cancellation.interrupt()
    >>> cancellation.reason
    'interrupted'
    """

    max_time: float | None = None
    progress: Progress | None = None
    began: float = field(default_factory=time.monotonic)
    _pressed: threading.Event = field(default_factory=threading.Event, repr=False)

    def __post_init__(self) -> None:
        if self.max_time is not None:
            require_positive(self.max_time, "max_time")

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float | None:
        """Seconds that are left, None without a limit."""
        return None if self.max_time is None else self.max_time - self.spent

    @property
    def interrupted(self) -> bool:
        """Whether somebody has interrupted it."""
        return self._pressed.is_set()

    @property
    def reason(self) -> str | None:
        """Why it has to end now, None if it may go on."""
        if self.interrupted:
            return INTERRUPTED
        left = self.left
        return TIME_LIMIT if left is not None and left <= 0.0 else None

    def interrupt(self) -> None:
        """End it, and all that share this."""
        self._pressed.set()

    def tell(self, text: str) -> None:
        """Tell whoever wants to know how far it is."""
        if self.progress is None:
            return
        try:
            self.progress(text)
        except KeyboardInterrupt:
            self.interrupt()

    def with_share(self, share: float) -> Cancellation:
        """Return one for a part of it, which may take such a share of the time that is left."""
        if self.max_time is None:
            return self
        return replace(self, max_time=self.spent + share * self.max_left)

    def without_limit(self) -> Cancellation:
        """Return one for a part of it that has to be as long as it is."""
        return replace(self, max_time=None)

    @property
    def max_left(self) -> float:
        """Seconds that are left, at least none."""
        left = self.left
        return float("inf") if left is None else max(left, 0.0)

    def failure(self, message: str) -> TrainingError:
        """Return the error of a computation that has found nothing, perhaps because of Ctrl-C."""
        error = TrainingError(message)
        error.reason = INTERRUPTED if self.interrupted else ""
        return error

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Let Ctrl-C interrupt it; pressed again, it raises a KeyboardInterrupt where Python is.

        If nothing could be kept, a KeyboardInterrupt is raised at the end. Where Ctrl-C is ignored,
        or somebody else handles it, as an outer computation does, that stays so; and so it does in
        other threads than the main one, where Python hears no Ctrl-C.
        """

        def pressed(*_: Any) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupt()

        in_main = threading.current_thread() is threading.main_thread()
        mine = in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        try:
            if mine:
                signal.signal(signal.SIGINT, pressed)
            yield
        except TrainingError as error:
            if error.reason == INTERRUPTED:
                raise KeyboardInterrupt("interrupted before anything was found") from None
            raise
        finally:
            if mine:
                signal.signal(signal.SIGINT, signal.default_int_handler)


def require_positive(value: float, name: str) -> float:
    """Return a number that is greater than 0.

    Raises
    ------
    ConfigurationError
        If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not value > 0:
        raise ConfigurationError(f"{name} is {value!r}; it must be a number greater than 0")
    return float(value)
