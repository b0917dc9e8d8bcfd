"""Ctrl-C that waits: for the moments in which an interrupt would lose what has been found."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Waiting:
    """Whether Ctrl-C was pressed while it had to wait."""

    interrupted: bool = False


@contextmanager
def interrupts_wait() -> Iterator[Waiting]:
    """Keep Ctrl-C from ending what is inside; whoever asks for it finds whether it was pressed.

    In other threads than the main one, where Python raises no interrupts, this does nothing.
    """
    waiting = Waiting()
    if threading.current_thread() is not threading.main_thread():
        yield waiting
        return

    def remember(*_: Any) -> None:
        waiting.interrupted = True

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield waiting
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
