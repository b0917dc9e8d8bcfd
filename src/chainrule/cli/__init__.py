"""The command line: one file for each command, loaded only when it is used. Shared:

_run      the group of commands: exit codes, errors in one sentence
_input    models and tables as commands take them
_columns  which columns are what: options, and what is found in the table
_output   text, JSON and CSV to stdout, progress and notes to stderr
"""

from chainrule.cli._run import run

__all__ = ["run"]
