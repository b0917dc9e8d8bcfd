"""What the commands print: text, JSON and CSV to stdout, progress and notes to stderr."""

from __future__ import annotations

import csv
import io
import math
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import click

from chainrule._json import readable_json
from chainrule._printable import printable

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_QUIET_SECONDS = 1.0  # before a line of progress is shown


def say(text: str) -> None:
    """Print a result to stdout."""
    click.echo(printable(text))


def note(text: str) -> None:
    """Print a remark to stderr."""
    to_stderr(f"Note: {printable(text, newlines=False)}")


def tell(text: str) -> None:
    """Print a line that people may want to know to stderr."""
    to_stderr(printable(text, newlines=False))


def to_stderr(text: str) -> None:
    """Print a line to stderr; if that is closed or its disk is full, go on without it."""
    if sys.stderr is None:
        return
    try:
        click.echo(text, err=True)
        sys.stderr.flush()
    except OSError:  # what is half written would be an error again at exit
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def say_json(document: dict[str, Any]) -> None:
    """Print a document to stdout; what is not finite becomes null."""
    sys.stdout.write(readable_json(_plain(document)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # an array, or one of its numbers
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def csv_text(columns: dict[str, Sequence[Any]]) -> str:
    """Return columns as CSV with exact floats.

    A text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_harmless(name) for name in columns])
    writer.writerows(map(_harmless, row) for row in zip(*columns.values(), strict=True))
    return text.getvalue()


def _harmless(cell: Any) -> str:
    if isinstance(cell, str):
        return "'" + cell if cell.startswith(_FORMULA_STARTS) else cell
    return repr(cell)


class Progress:
    """A line on stderr for whatever takes longer than a second; silent off a terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._state = ""
        self._status: Any = None
        self._timer = threading.Timer(_QUIET_SECONDS, self._show)
        self._timer.daemon = True

    def __enter__(self) -> Progress:
        if sys.stderr is not None and sys.stderr.isatty():
            self._timer.start()
        return self

    def update(self, state: str) -> None:
        """Say how far it has got."""
        self._state = state
        if self._status is not None:
            self._status.update(self._line())

    def _line(self) -> str:
        return printable(f"{self._what}: {self._state}" if self._state else self._what)

    def _show(self) -> None:
        try:
            from rich.console import Console
        except ModuleNotFoundError:
            return  # a line of progress is not worth an error
        status = Console(stderr=True).status(self._line())
        status.start()
        self._status = status

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()
        if self._status is not None:
            self._status.stop()
