"""The command line: one file for each command, loaded only when it is used."""

from chainrule.cli._run import run

__all__ = ["run"]
