"""What is the user's is never written over, and what was trained is always kept."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import chainrule._files as files
from chainrule import load_model
from chainrule.optimize import checkpoint, multistart
from trainings import press_ctrl_c

ROWS = "a,b,y\n" + "".join(
    f"{i % 7},{i % 5},{i % 7 * 0.5 + (i * 3) % 11 * 0.1:.2f}\n" for i in range(40)
)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two tables."""
    path = tmp_path / "tables"
    path.mkdir()
    for name in ("a.csv", "b.csv"):
        (path / name).write_text(ROWS)
    return path


@pytest.fixture
def trained(run, folder, tmp_path):
    """Return the path of a model of them."""
    path = tmp_path / "trained.json"
    done = run("fit", folder / "a.csv", "--target", "y", "--restarts", 1, "--out", path)
    assert done.code == 0, done.err
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("source", ["tables", "tables/*.csv", "tables/a.csv"])
@pytest.mark.parametrize("name", ["tables/a.csv", "soft.csv", "hard.csv"])
def test_no_input_is_written_over(run, trained, folder, tmp_path, source, name):
    (tmp_path / "soft.csv").symlink_to(folder / "a.csv")
    (tmp_path / "hard.csv").hardlink_to(folder / "a.csv")
    before, out = contents(folder), tmp_path / name
    for command in (
        ["predict", trained, tmp_path / source, "--out", out],
        ["fit", tmp_path / source, "--target", "y", "--out", out],
        ["fit", tmp_path / source, "--target", "y", "--out", tmp_path / "m", "--checkpoint", out],
    ):
        done = run(*command)
        assert (done.code, "would replace" in done.err) == (2, True), done.err
        assert contents(folder) == before


def test_a_file_that_will_be_read_with_its_folder_is_said(run, trained, folder):
    done = run("predict", trained, folder, "--out", folder / "new.csv")
    assert done.code == 0
    assert "the next command that reads it reads" in done.err


def test_a_file_of_somebody_else_is_not_replaced(run, trained, folder, tmp_path):
    out = tmp_path / "m.json"
    for path in (out, tmp_path / "m.json.unconverged"):
        path.write_text("precious")
        done = run("fit", folder, "--target", "y", "--out", out, "--max-iter", 1)
        assert done.code == 2
        assert "already exists and is not a model, so it is not overwritten" in done.err
        assert path.read_text() == "precious"
        path.unlink()
    before = trained.read_bytes()
    done = run("predict", trained, folder, "--out", trained)
    assert done.code == 2
    other = tmp_path / "other.json"
    other.write_bytes(before)
    assert (
        "is a model, so it is not overwritten"
        in run("predict", trained, folder, "--out", other).err
    )
    assert other.read_bytes() == before
    other.write_bytes(b"PK\x03\x04\0\0 a checkpoint, a picture")
    assert (
        "is not a text, so it is not overwritten"
        in run("predict", trained, folder, "--out", other).err
    )


def test_ctrl_c_while_a_model_is_written_waits(run, folder, tmp_path, monkeypatch):
    real, out, times = files.os.fsync, tmp_path / "m.json", iter((True,))

    def pressed(handle):
        if next(times, False):
            press_ctrl_c()
        real(handle)

    monkeypatch.setattr(files.os, "fsync", pressed)
    done = run("fit", folder, "--target", "y", "--restarts", 1, "--out", out)
    assert done.code == 130
    assert f"interrupted after {out} was written" in done.err
    assert load_model(out).network.layers == (2, 10, 1)


@pytest.mark.parametrize(
    "options",
    [["--noise", "student", "--task", "classification"], ["--scale", "none"], ["--seed", 2**70]],
)
def test_what_can_be_refused_is_refused_before_training(run, tmp_path, monkeypatch, options):
    def trained(*_, **__):
        raise AssertionError("there was training")

    monkeypatch.setattr(multistart, "minimize_from_starts", trained)
    monkeypatch.setattr("chainrule.pipeline.minimization.minimize_from_starts", trained)
    table = tmp_path / "t.csv"
    rows = (f"{i % 7}e{150 if '--scale' in options else 0},{i % 3}" for i in range(30))
    table.write_text("\n".join(["a,y", *rows]))
    done = run("fit", table, "--target", "y", "--out", tmp_path / "m", *options)
    assert done.code == 2
    assert any(word in done.err for word in ("has none", "their squares", "must be from 0 to"))


def test_weights_that_have_no_place_of_their_own_are_kept(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for out in ("-", "/dev/null"):
        done = run("fit", folder, "--target", "y", "--out", out, "--max-iter", 1)
        assert done.code == 1
        (kept,) = tmp_path.glob("chainrule-*model.unconverged")
        assert str(kept) in done.err
        assert load_model(kept).report.optimizer.termination.name == "max_iter"
        kept.unlink()


def test_a_model_that_cannot_be_written_is_kept_elsewhere(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    real = os.replace

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    done = run("fit", folder, "--target", "y", "--restarts", 1, "--out", tmp_path / "m.json")
    monkeypatch.setattr(os, "replace", real)
    assert done.code == 2
    (kept,) = tmp_path.glob("chainrule-*-m.json")
    assert f"the model is kept in {kept}" in done.err
    assert load_model(kept).network.layers == (2, 10, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"tables", kept.name}


def test_a_checkpoint_on_a_full_disk_ends_nothing(run, folder, tmp_path, monkeypatch):
    real, out, kept = os.write, tmp_path / "m.json", tmp_path / "c.npz"

    def full(handle, data):
        if os.readlink(f"/proc/self/fd/{handle}").find(".c.npz.") >= 0:
            raise OSError(28, "No space left on device")
        return real(handle, data)

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
    options = "--target", "y", "--method", "bfgs", "--restarts", 3, "--checkpoint", kept
    done = run("fit", folder, *options, "--out", out)
    assert done.code == 0, done.err
    assert done.err.count("training continues without writing a checkpoint") == 1
    assert out.exists()
    assert not kept.exists()


def test_stderr_on_a_full_disk_ends_nothing(folder, tmp_path):
    out = tmp_path / "m.json"
    command = f"{sys.executable} -m chainrule fit {folder} --target y --restarts 1 --out {out}"
    done = subprocess.run(
        ["bash", "-c", f"{command} 2> /dev/full"], capture_output=True, check=False
    )
    assert done.returncode == 0
    assert load_model(out).network.layers == (2, 10, 1)


@pytest.mark.parametrize("method", ["lm", "broyden", "bfgs", "lbfgs"])
def test_a_resumed_fit_has_the_bits_of_one_that_was_never_stopped(
    run, folder, tmp_path, monkeypatch, method
):
    options = "--target", "y", "--method", method, "--restarts", 4, "--alpha", 0.1
    whole, resumed, kept = tmp_path / "whole.json", tmp_path / "resumed.json", tmp_path / "c.npz"
    run("fit", folder, *options, "--out", whole)
    made, real = 0, multistart.run_with_callback

    def stopped(*arguments, **more):
        nonlocal made
        made += 1
        if made == 3:
            press_ctrl_c()
        return real(*arguments, **more)

    monkeypatch.setattr(multistart, "run_with_callback", stopped)
    cut = run("fit", folder, *options, "--out", resumed, "--checkpoint", kept)
    assert cut.code == (130 if made else 0)
    monkeypatch.setattr(multistart, "run_with_callback", real)
    for _ in range(2):  # in the middle, and when it had ended
        done = run("fit", folder, *options, "--out", resumed, "--checkpoint", kept)
        assert done.code == 0, done.err
        assert resumed.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("method", ["lm", "bfgs"])
def test_a_checkpoint_that_is_none_is_refused_in_one_sentence(run, folder, tmp_path, method):
    out, kept = tmp_path / "m.json", tmp_path / "c.npz"
    options = "--target", "y", "--method", method, "--restarts", 2, "--alpha", 0.1, "--out", out
    kept.write_text('{"a": 1}')
    done = run("fit", folder, *options, "--checkpoint", kept)
    assert (done.code, "is not a checkpoint; name a file" in done.err) == (2, True)
    assert "pickle" not in done.err
    kept.unlink()
    run("fit", folder, *options, "--checkpoint", kept)
    whole = dict(np.load(kept))
    for name in [name for name in whole if name != "belongs_to"]:
        for spoiled in (
            whole[name].astype("U3"), whole[name][:-1], whole[name].reshape(-1)[:, None, None],
            np.full_like(whole[name], -1) if whole[name].dtype.kind in "if" else whole[name][:0],
        ):  # fmt: skip
            np.savez(kept, **{**whole, name: spoiled})
            done = run("fit", folder, *options, "--checkpoint", kept)
            last = done.err.splitlines()[-1]
            counts = ("state slow", "state evaluations", "state ending", "state length")
            fits = name not in counts and name.split()[0] in ("theta", "why", "history", "state")
            assert done.code == 2 or fits, (name, spoiled, done.err)
            assert done.code in (0, 1) or last.startswith("Error: the checkpoint does not fit")
            assert "fault of" not in done.err


NAMES = (
    "New\u00a0York",
    "東\u3000京",
    "two\nlines",
    "soft\u00adhyphen",
    "👩\u200d🚀",
    "a\tb",
    "$x_{",
    "%",
    "a=b",
)


def test_words_and_names_of_any_letters_come_back_as_they_were(run, tmp_path):
    table = tmp_path / "t.csv"
    rows = [f'"{NAMES[i % len(NAMES)]}",{i % 4},{i % 3},"{NAMES[i % 2]}"' for i in range(54)]
    table.write_text("\n".join([f'"{NAMES[2]}","{NAMES[0]}","{NAMES[6]}","{NAMES[3]}"', *rows]))
    out = tmp_path / "m.json"
    done = run("fit", table, "--target", NAMES[3], "--restarts", 1, "--hidden", 1, "--out", out)
    assert done.code == 0, done.err
    for line in done.out.splitlines() + done.err.splitlines():
        assert line.isprintable() or "\u200d" in line or "\u00a0" in line or "\u3000" in line \
            or "\u00ad" in line, line  # fmt: skip
    model = load_model(out)
    assert model.columns[0].levels == tuple(sorted(NAMES))
    assert model.column_names == (NAMES[2], NAMES[0], NAMES[6])
    assert model.classes == (tuple(sorted(NAMES[:2])),)
    predicted = json.loads(run("predict", out, table, "--json").out)["predictions"][NAMES[3]]
    assert set(predicted) <= set(NAMES[:2])
    for kind in ("network", "fit", "contour", "surface", "residuals"):
        figure = tmp_path / f"{kind}.png"
        done = run("plot", out, table, "--kind", kind, "--out", figure)
        assert done.code == 0, done.err
    for command in (["show", out], ["explain", out, table, "--row", 1], ["influence", out, table],
                    ["best", out], ["check", out, table]):  # fmt: skip
        done = run(*command)
        assert done.code == 0, done.err


def test_weights_of_rows_are_remembered(run, tmp_path):
    table, out = tmp_path / "t.csv", tmp_path / "m.json"
    rows = [line + f",{1 + i % 3}" for i, line in enumerate(ROWS.splitlines()[1:])]
    table.write_text("\n".join(["a,b,y,n", *rows]))
    options = "--target", "y", "--restarts", 1, "--out", out
    assert run("fit", table, *options, "--weight", "n").code == 0
    assert load_model(out).weight_name == "n"
    without, said = run("influence", out, table), run("influence", out, table, "--weight", "n")
    assert "rows are weighted by column 'n', as in the fit (--weight n)" in without.err
    assert "these are not the rows" not in without.err
    assert without.out == said.out
    table.write_text("\n".join(["a,b,y,m", *rows]))
    assert "has no column 'n', which weighted the rows" in run("influence", out, table).err
    assert run("fit", table, *options, "--drop", "m").code == 0
    other = run("influence", out, table, "--weight", "m")
    assert "these are not the rows" in other.err


def test_files_that_unpack_to_too_much_are_refused_before_they_are_read(run, tmp_path):
    table = tmp_path / "t.csv.gz"
    table.write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * 1000))
    done = run("fit", table, "--target", "y", "--out", tmp_path / "m", "--max-cells", 1000)
    assert done.code == 2
    assert (
        "has 2,002 cells, at most 1,000 are read; leave out rows or columns, or raise" in done.err
    )
    assert "the limit by --max-cells 2002" in done.err
    content = io.BytesIO()
    pl.DataFrame({"x": np.zeros(2000), "y": np.zeros(2000)}).write_parquet(content)
    parquet = tmp_path / "t.parquet"
    parquet.write_bytes(content.getvalue())
    done = run("fit", parquet, "--target", "y", "--out", tmp_path / "m", "--max-cells", 1000)
    assert "has 4,000 cells, at most 1,000" in done.err
    content = io.BytesIO()
    pl.DataFrame({"x": ["z" * 200_000] * 4, "y": [1, 2, 3, 4]}).write_parquet(content)
    parquet.write_bytes(content.getvalue())
    done = run("fit", parquet, "--target", "y", "--out", tmp_path / "m")
    assert "column 'x' has a cell of 200,000 bytes, at most 131,072 are read" in done.err


@pytest.mark.parametrize("text", ["sep=:\na:y\n1:2\n2:4\n3:5\n", "sep=^\na^y\n1^2\n2^4\n3^5\n",
                                  "\n\n  \na,y\n1,2\n2,4\n3,5\n"])  # fmt: skip
def test_any_delimiter_of_excel_and_blank_lines_before_the_names(run, tmp_path, text):
    table = tmp_path / "t.csv"
    table.write_text(text)
    done = run("fit", table, "--target", "y", "--restarts", 1, "--out", tmp_path / "m")
    assert done.code == 0, done.err


def test_no_message_echoes_a_cell_without_end(run, tmp_path):
    table = tmp_path / "t.csv"
    long = "9" * 5_000
    for text in (
        f"a,y\n{long},1\n2,3\n4,5\n", f"a,y\nx{long},1\n2,3\n4,5\n3,3\n", f"a,y\n1,{long}\n2,3\n",
        f"{long}x,y\n1,2\n2,x{long}\n", f"a,{long}x,{long}x\n1,2,3\n", f"a,y\n{long}%,1\n4,2\n",
        f"a,y\n2024-01-01,1\n{long},2\n2024-01-02,3\n", f"sep={long}\na,y\n1,2\n",
    ):  # fmt: skip
        table.write_text(text)
        done = run("fit", table, "--target", "y", "--out", tmp_path / "m", "--restarts", 1)
        assert "Error" in done.err
        assert len(done.err) < 1500, done.err


@pytest.mark.in_c
def test_model_files_are_the_same_on_any_number_of_threads(folder, tmp_path):
    table = tmp_path / "t.csv"
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 12))
    y = X[:, 0] - np.sin(X[:, 1]) + 0.1 * rng.standard_normal(120)
    lines = [",".join(f"{v:.4f}" for v in row) for row in np.column_stack([X, y])]
    table.write_text("\n".join([",".join([*(f"x{j}" for j in range(12)), "y"]), *lines]))
    found = []
    for threads in ("1", "2"):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "CHAINRULE_NUM_THREADS": threads}
        out = tmp_path / f"{threads}.json"
        command = [sys.executable, "-m", "chainrule", "fit", str(table), "--target", "y"]
        more = ["--hidden", "3", "--restarts", "2", "--out", str(out)]
        done = subprocess.run([*command, *more], env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        predict = [sys.executable, "-m", "chainrule", "predict", str(out), str(table)]
        predict = subprocess.run([*predict, "--interval", "0.9"], env=env, capture_output=True)
        found.append((out.read_bytes(), predict.stdout))
    assert found[0] == found[1]


def test_the_sentence_of_an_interrupt_counts_starts_once(run, folder, tmp_path):
    def later():
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(1.0, later)
    timer.start()
    options = "--target", "y", "--restarts", 10**6, "--alpha", 0.1, "--out", tmp_path / "m"
    done = run("fit", folder, *options)
    timer.cancel()
    assert done.code == 130
    (line,) = [line for line in done.err.splitlines() if line.startswith("Note: interrupted after")]
    assert line.count(" of 1000000 starts had ended") == 1
    assert line.count(" starts") == 1


def test_old_models_say_what_they_said(run):
    fixtures = Path(__file__).parents[1] / "fixtures"
    done = run("predict", fixtures / "model-v3.json", fixtures / "table-v3.csv", "--interval", 0.9)
    assert done.code == 0, done.err
    (head, *ours), (then, *theirs) = (
        text.splitlines() for text in (done.out, (fixtures / "predictions-v3.csv").read_text())
    )
    assert head == then
    for one, other in zip(ours, theirs, strict=True):
        now, before = (list(map(float, line.split(","))) for line in (one, other))
        assert now == pytest.approx(before, rel=1e-12)
