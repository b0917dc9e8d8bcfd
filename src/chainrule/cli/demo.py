"""chainrule demo: the tutorial's story, end to end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from chainrule._errors import DataError
from chainrule.cli._output import Progress, say, say_json
from chainrule.pictures.style import save
from chainrule.report.story import story


@click.command(name="demo")
@click.option("--out", default="demo", show_default=True, help="Folder for the figures.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def command(out: str, as_json: bool) -> None:
    """Tell the tutorial's whole story on its own three rows, and draw its figures."""
    started = time.perf_counter()
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot make the folder {out!r}: {(error.strerror or '').lower()}"
        ) from None
    document: dict[str, Any] = {}
    files: list[str] = []
    with Progress("telling the story") as progress:
        for number, section in enumerate(story(), start=1):
            if not as_json:
                title = f"{number}. {section.title}"
                say(f"{title}\n{'-' * len(title)}\n{section.text}\n")
            document[section.title] = section.numbers
            for name, draw in section.figures.items():
                progress.update(f"drawing {name}")
                files.append(str(folder / f"{len(files) + 1:02d}_{name}.png"))
                save(draw(), files[-1])
    seconds = time.perf_counter() - started
    if as_json:
        say_json({"sections": document, "figures": files, "seconds": seconds})
    else:
        say(f"{len(files)} figures in {out}, {seconds:.1f} seconds:")
        say("\n".join(f"  {name}" for name in files))
