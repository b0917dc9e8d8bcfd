"""A command line run in this process, and the tutorial's table with a model of it."""

from types import SimpleNamespace

import pytest

from chainrule.cli import run as run_command_line

SCORES = "sleep,study,score\n3,5,75\n5,1,82\n10,2,93\n"


@pytest.fixture
def run(capsys):
    """Return a function that runs a command line and returns code, out and err."""

    def run(*arguments):
        code = run_command_line([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def scores(tmp_path):
    """Return the path of the tutorial's three rows."""
    path = tmp_path / "scores.csv"
    path.write_text(SCORES)
    return path


@pytest.fixture
def model(run, scores, tmp_path):
    """Return the path of a model of them."""
    path = tmp_path / "model.json"
    done = run("fit", scores, "--target", "score", "--out", path, "--hidden", 3, "--restarts", 2)
    assert done.code == 0, done.err
    return path
