"""Bad input: one sentence with what, where and the fix; no traceback, no half-written file."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainrule._printable import printable
from chainrule.cli._output import Progress, csv_text
from chainrule.model.model_file import load_model

BAD_TABLES = {
    "empty": ("", "is empty"),
    "header only": ("sleep,study,score\n", "has column names but no rows"),
    "one row": ("sleep,study,score\n3,5,75\n", "there is 1 row; a fit needs at least 2"),
    "text": ("sleep,study,score\n3,much,75\n5,1,82\n", "'study', row 1 (line 2): 'much' is not a"),
    "nan": ("sleep,study,score\n3,nan,75\n5,1,82\n", "'study', row 1 (line 2): the value is miss"),
    "no target": (
        "sleep,study,score\n3,1,NA\n5,1,82\n",
        "'score', row 1 (line 2): 'NA' marks a miss",
    ),
    "inf": ("sleep,study,score\n3,5,inf\n5,1,82\n", "'score', row 1 (line 2): 'inf' is not finite"),
    "missing": ("sleep,study,score\n3,5,75\n5,,82\n", "'study', row 2 (line 3): the value is miss"),
    "ragged": ("sleep,study,score\n3,5,75\n5,82\n", "line 3: 2 cells where the first line has 3"),
    "no such target": ("sleep,study,grade\n3,5,75\n5,1,82\n", "has no column 'score'"),
    "duplicate": ("sleep,sleep,score\n3,5,75\n5,1,82\n", "'sleep' occurs more than once"),
    "no names": ("3,5,75\n5,1,82\n", "holds numbers, not column names"),
    "constant target": ("sleep,study,score\n3,5,75\n5,1,75\n", "target 'score' is 75 in every row"),
    "constant inputs": (
        "sleep,study,score\n3,5,75\n3,5,82\n",
        "no input varies ('sleep', 'study')",
    ),
    "no inputs": ("score\n75\n82\n", "has no column left as an input"),
    "too large": ("sleep,study,score\n3,5,75\n1e309,1,82\n", "'1e309' is larger than any float64"),
    "binary": ("\x00\x01\x02", "it has a zero byte"),
}


def refused(done, code=2):
    assert done.code == code, (done.code, done.err)
    lines = done.err.splitlines()  # what was found in the table may come before
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:]
    assert "Traceback" not in done.err + done.out
    return True


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables(run, tmp_path, name):
    content, message = BAD_TABLES[name]
    table = tmp_path / "t.csv"
    table.write_text(content)
    out = tmp_path / "m.json"
    done = run("fit", table, "--target", "score", "--out", out, "--missing", "error")
    assert refused(done)
    assert message in done.err
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("value", ["1e308", "-1e308", "1e-308", "5e-324"])
def test_the_largest_and_smallest_floats_fit(run, tmp_path, value):
    table = tmp_path / "t.csv"
    table.write_text(f"a,y\n{value},1\n0,2\n1,3\n")
    done = run("fit", table, "--target", "y", "--out", tmp_path / "m.json", "--restarts", 2)
    assert done.code in (0, 1)
    assert "Traceback" not in done.err
    assert run("predict", tmp_path / "m.json", table).code == 0 or done.code == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hidden", "0,3"], "layer width 0"),
        (["--hidden", "-3"], "layer width -3"),
        (["--hidden", "three"], "--hidden 'three' is not a list of widths; write 3, or 8,4"),
        (["--hidden", "2.5"], "is not a list of widths"),
        (["--hidden", "100000000"], "at most 100,000,000 are allowed"),
        (["--activation", "selu"], "unknown activation 'selu'; choose one of sigmoid, tanh"),
        (["--activation", "tanh,relu"], "2 activations for 1 hidden layers"),
        (["--output", "linear"], "'linear' is not one of"),
        (["--output", "exp", "--loss", "squared"], "does not go with loss"),
        (["--output", "sigmoid", "--scale", "none"], "takes numbers from 0 to 1"),
        (["--method", "magic"], "'magic' is not one of"),
        (["--alpha", "-1"], "alpha is -1.0; it must be a number of at least 0"),
        (["--alpha", "nan"], "alpha is nan"),
        (["--alpha", "much"], "--alpha 'much' is not a number"),
        (["--restarts", "0"], "restarts is 0; it must be at least 1"),
        (["--seed", "-1"], "seed is -1"),
        (["--max-iter", "0"], "max_iter is 0"),
        (["--max-time", "0"], "max_time is 0.0; it must be a number greater than 0"),
        (["--drop", "coffee"], "has no column 'coffee'"),
        (["--hidden", "1_0"], "is not a list of widths"),
        (["--hidden", "٣"], "is not a list of widths"),
        (["--hidden", ",".join(["1"] * 70)], "72 layers; at most 64"),
        (["--target", "score"], "column 'score' is named twice in the options"),
        (["--nonsense"], "No such option"),
    ],
)
def test_bad_options(run, scores, tmp_path, options, message):
    out = tmp_path / "m.json"
    done = run("fit", scores, "--target", "score", "--out", out, *options)
    assert refused(done)
    assert message in done.err
    assert not out.exists()


def test_missing_files_and_folders(run, model, scores, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (["fit", tmp_path / "none.csv", "--target", "y", "--out", "m"], "no such file"),
        (["fit", tmp_path / "empty", "--target", "y", "--out", "m"], "there is no table there"),
        (["fit", tmp_path / "*.tsv", "--target", "y", "--out", "m"], "there is no table there"),
        (["predict", tmp_path / "none.json", scores], "no such file"),
        (["predict", scores, scores], "is not a chainrule model file"),
        (["predict", model, tmp_path / "none.csv"], "no such file"),
        (["show", tmp_path], "is a directory"),
        (["predict", "-", "-"], "cannot both come from stdin"),
        (["demo", "--out", scores], "cannot make the folder"),
    ):
        assert message in run(*arguments).err
        assert refused(run(*arguments))


def test_unwritable_outputs(run, model, scores, tmp_path):
    plot = ["plot", model, scores, "--kind"]
    for arguments, message in (
        (["fit", scores, "--target", "score", "--out", tmp_path / "no" / "m"], "cannot write"),
        (["fit", scores, "--target", "score", "--out", tmp_path], "it is a folder"),
        (["predict", model, scores, "--out", tmp_path / "no" / "p"], "cannot write"),
        ([*plot, "fit", "--out", tmp_path / "no" / "f.png"], "cannot write"),
        ([*plot, "fit", "--out", tmp_path / "f.gif"], "picture format"),
        ([*plot, "pie", "--out", tmp_path / "f.png"], "'pie' is not one"),
    ):  # fmt: skip
        done = run(*arguments)
        assert refused(done)
        assert message in done.err


@pytest.mark.parametrize("command", ["predict", "check", "explain"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sleep,score\n3,75\n", "has no column 'study'"),
        ("sleep,study,score\n3,x,75\n", "'x' is not a number"),
        ("sleep,study,score\n3,75\n", "2 cells"),
    ],
)
def test_tables_that_do_not_fit_the_model(run, model, tmp_path, command, content, message):
    table = tmp_path / "t.csv"
    table.write_text(content)
    done = run(command, model, table)
    assert refused(done)
    assert message in done.err
    assert done.out == ""


def test_rows_that_do_not_exist(run, model, scores):
    for row in (0, 4, -1):
        done = run("explain", model, scores, "--row", row)
        assert refused(done)
        assert f"--row {row} does not exist; {scores} has rows 1 to 3" in done.err


def test_a_damaged_model(run, model, scores):
    content = bytearray(model.read_bytes())
    content[500] ^= 1
    model.write_bytes(content)
    done = run("predict", model, scores)
    assert refused(done)
    assert "is damaged: its checksum does not match" in done.err


def test_predictions_too_far_out(run, model, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("sleep,study\n3,5\n1e308,1e308\n")
    done = run("predict", model, table)
    assert done.code in (0, 2)
    assert "nan" not in done.out
    assert "inf" not in done.out


def test_no_command_and_unknown_command(run):
    assert run().code == 2
    assert refused(run("frobnicate"))
    assert "No such command" in run("frobnicate").err


def shell(command):
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


def test_a_closed_pipe(model, scores):
    command = f"{sys.executable} -m chainrule explain {model} {scores} --json"
    cut = shell(f"set -o pipefail; {command} | true")
    assert "Traceback" not in cut.stderr
    assert cut.returncode in (0, 1)
    closed = shell(f"{command} >&-")
    assert "Traceback" not in closed.stderr
    assert closed.returncode == 2
    assert closed.stderr == "Error: there is no standard output to write to\n"


def test_a_full_disk_at_stdout(model, scores):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    command = f"{sys.executable} -m chainrule predict {model} {scores} > /dev/full"
    done = shell(command)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_faults_of_our_own_are_one_sentence_too(run, model, monkeypatch):
    import chainrule.cli.show as show

    def broken(model):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(show, "summary", broken)
    done = run("show", model)
    assert refused(done, code=1)
    assert "this is a fault of chainrule (ZeroDivisionError: division by zero)" in done.err
    monkeypatch.setenv("CHAINRULE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run("show", model)


def test_running_out_of_memory_is_one_sentence(run, model, monkeypatch):
    import chainrule.cli.show as show

    def greedy(model):
        raise MemoryError("Unable to allocate 7 TiB")

    monkeypatch.setattr(show, "summary", greedy)
    done = run("show", model)
    assert refused(done, code=1)
    assert "not enough memory (Unable to allocate 7 TiB)" in done.err


def test_interruption(run, model, monkeypatch):
    import chainrule.cli.show as show

    def interrupted(model):
        raise KeyboardInterrupt

    monkeypatch.setattr(show, "summary", interrupted)
    done = run("show", model)
    assert (done.code, done.err.strip()) == (130, "Error: interrupted")


def test_names_cannot_command_the_terminal(run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,\x1b[31my\u202e\n1,2\n2,3\n3,5\n")
    done = run("fit", table, "--target", "y", "--out", tmp_path / "m")
    assert refused(done)
    assert "\x1b" not in done.err
    assert "\\x1b[31my\\u202e" in done.err


def test_a_file_name_cannot_write_a_second_line(run, tmp_path):
    done = run("show", tmp_path / "a\nError: gotcha")
    assert refused(done)


def test_the_table_and_the_model_are_not_overwritten(run, model, scores):
    before = scores.read_bytes(), model.read_bytes()
    for arguments in (
        ["fit", scores, "--target", "score", "--out", scores],
        ["predict", model, scores, "--out", scores],
        ["predict", model, scores, "--out", model],
    ):
        done = run(*arguments)
        assert refused(done)
        assert "would replace" in done.err
    assert (scores.read_bytes(), model.read_bytes()) == before


def test_a_console_without_greek(model, scores):
    command = f"PYTHONIOENCODING=latin-1 {sys.executable} -m chainrule explain {model} {scores}"
    done = subprocess.run(["bash", "-c", f"{command} --row 1"], capture_output=True, check=True)
    assert "\\u03a3" in done.stdout.decode("latin-1")


def test_a_closed_stdin_and_stderr(model, scores):
    closed = shell(f"{sys.executable} -m chainrule predict {model} - <&-")
    assert (closed.returncode, closed.stderr.count("\n")) == (2, 1)
    assert "there is no standard input to read" in closed.stderr
    mute = shell(f"{sys.executable} -m chainrule predict {model} none.csv 2>&-")
    assert mute.returncode == 2


def until_busy_for(pid, seconds):
    """Wait until a process has used this much of a processor: started, and at work."""
    for _ in range(600):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > seconds:
            return
        time.sleep(0.1)


def test_a_signal_in_the_middle_of_a_fit_keeps_the_best(scores, tmp_path):
    out = tmp_path / "m.json"
    command = [sys.executable, "-m", "chainrule", "fit", str(scores), "--target", "score"]
    running = subprocess.Popen(
        [*command, "--restarts", "1000000", "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until_busy_for(running.pid, 2.5)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted after" in err
    assert not out.exists()
    assert load_model(f"{out}.unconverged").network.layers == (2, 10, 1)


def test_printable_keeps_newlines_and_letters():
    assert printable("δ\n→ ½") == "δ\n→ ½"
    assert printable("a\x07\x9bb\r\t") == "a\\x07\\x9bb\\r\\t"


def test_csv_text_is_exact():
    assert csv_text({"a": [0.1 + 0.2, "=1"], "-b": [-1.0, "x"]}) == (
        "a,'-b\n0.30000000000000004,-1.0\n'=1,x\n"
    )


def test_progress_is_silent_off_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("chainrule.cli._output._QUIET_SECONDS", 0.0)
    with Progress("working") as progress:
        progress.update("hard")
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("quiet", "speaks"), [(0.0, True), (60.0, False)])
def test_progress_speaks_on_a_terminal_after_a_while(quiet, speaks):
    leader, follower = pty.openpty()
    code = (
        f"import chainrule.cli._output as o, time; o._QUIET_SECONDS = {quiet}\n"
        "with o.Progress('working') as p: p.update('hard'); time.sleep(1.0)\n"
        "import sys; sys.stderr.write('.')"
    )
    subprocess.run([sys.executable, "-c", code], stderr=follower, check=True)
    os.close(follower)
    assert (b"working: hard" in os.read(leader, 10_000)) == speaks
    os.close(leader)
