"""Model files: exact, strict, whole or not at all."""

import fcntl
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

import chainrule
import chainrule._files as files
from chainrule import DataError, ModelFileError, Network
from chainrule.model.fit_report import FitReport, PosteriorReport
from chainrule.model.model import Model
from chainrule.model.model_file import dump_model, load_model, parse_model, save_model
from chainrule.report.summary import summary
from chainrule.tables.cells import Missing
from chainrule.tables.encoding import ColumnType
from trainings import train


@pytest.fixture(scope="module")
def model():
    X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
    Y = np.array([[75.0], [82.0], [93.0]])

    names = {"input_names": ("sleep", "study"), "target_names": ("score",)}
    return train(X, Y, Network([2, 3, 1]), alpha=1e-4, n_restarts=2, max_iter=15, **names).model


HEAD = b'{\n "format": "chainrule-model",\n "version": 3,\n "checksum": "sha256:'


def resealed(body):
    """Return a file with this body under a right checksum: what only a strict reader stops."""
    whole = HEAD + b"0" * 64 + b'",\n' + body
    return whole.replace(b"0" * 64, hashlib.sha256(whole).hexdigest().encode(), 1)


def test_round_trip_is_exact(model, tmp_path):
    path = tmp_path / "model.json"
    save_model(model, path)
    again = load_model(path)
    assert again.theta.tobytes() == model.theta.tobytes()
    assert again.network == model.network
    assert again.input_names == model.input_names
    assert again.report == model.report
    assert dump_model(again) == path.read_bytes()
    X = np.array([[4.0, 2.0], [7.0, 3.0]])
    assert again.predict(X).tobytes() == model.predict(X).tobytes()


def test_it_is_readable_json(model):
    document = json.loads(dump_model(model))
    assert document["network"]["layers"] == [2, 3, 1]
    assert document["inputs"]["names"] == ["sleep", "study"]
    assert len(document["weights"]["W[1]"]) == 2


def test_extreme_weights_survive(model):
    theta = model.theta.copy()
    theta[:4] = [5e-324, -1.7976931348623157e308, 0.1 + 0.2, -0.0]
    extreme = Model(**{**vars(model), "theta": theta})
    assert parse_model(dump_model(extreme)).theta.tobytes() == theta.tobytes()


def test_every_flipped_bit_is_detected(model):
    content = bytearray(dump_model(Model(**{**vars(model), "report": None})))
    for i in range(len(content)):
        for bit in range(8):
            content[i] ^= 1 << bit
            with pytest.raises(ModelFileError):
                parse_model(bytes(content))
            content[i] ^= 1 << bit
    parse_model(bytes(content))


def test_every_truncation_is_detected(model):
    content = dump_model(model)
    for length in range(0, len(content), 7):
        with pytest.raises(ModelFileError):
            parse_model(content[:length])
    with pytest.raises(ModelFileError):
        parse_model(content + b" ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"no json",
        b"\x80\x04\x95pickle",
        b"PK\x03\x04",
        b'{"format": "a"}',
        b"[" * 10**5,
    ],
)
def test_foreign_files_are_refused(content):
    with pytest.raises(ModelFileError, match="is not a chainrule model file"):
        parse_model(content, "m.json")


def test_newer_versions_are_refused_clearly(model):
    newer = dump_model(model).replace(b'"version": 5', b'"version": 6')
    with pytest.raises(
        ModelFileError, match=r"m\.json has format version 6; this chainrule reads 1 to 5"
    ):
        parse_model(newer, "m.json")


def spoil(model, **changes):
    document = json.loads(dump_model(model))
    for path, value in changes.items():
        at = document
        *parents, last = path.split("__")
        for key in parents:
            at = at[key]
        at[last] = value
    kept = {k: v for k, v in document.items() if k not in ("format", "version", "checksum")}
    return resealed(json.dumps(kept).encode()[1:])


def test_resealing_alone_is_accepted(model):
    assert parse_model(spoil(model)).theta.tobytes() == model.theta.tobytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network__layers": [2, 4, 1]}, "W\\[1\\] has 3 numbers, the layers need 4"),
        ({"network__layers": [2, 2.5, 1]}, "layer width must be a whole number"),
        ({"network__layers": [2] * 70}, "more than 64 layers"),
        ({"network__layers": [2, 2**21, 1]}, "wider than 1048576"),
        ({"network__hidden": ["evil"]}, "unknown activation 'evil'"),
        ({"network__hidden": "tanh"}, "hidden must be a list"),
        ({"network__output": "os.system"}, "unknown output 'os.system'"),
        ({"network__bias": 1}, "bias and skip must be true or false"),
        ({"inputs__names": ["a"]}, "inputs needs 2 different names"),
        ({"inputs__names": ["a", "a"]}, "inputs needs 2 different names"),
        ({"inputs__names": ["a", "b" * 40000]}, "at most 30,000 characters"),
        ({"inputs__scale": [1.0, -1.0]}, "a scale of inputs is negative"),
        ({"inputs__scaling": "__import__"}, "not those of scaling"),
        ({"targets__center": ["1"]}, "center of targets must be a number"),
        ({"weights": {}}, "weights must have exactly the keys"),
        ({"extra": 1}, "file must have exactly the keys"),
        ({"training__rows": -1}, "rows must be a whole number of at least 0"),
        ({"training__history": {}}, "history must have exactly the keys"),
        ({"training__cost": True}, "cost must be a number"),
        ({"training": []}, "training must have exactly the keys"),
        ({"training__termination__name": "bogus"}, "unknown termination 'bogus'"),
        ({"training__rows": 10**400}, r"1000+ is a whole number of more than 64 bits"),
        ({"training__alpha": -5.0}, "alpha must not be negative"),
        ({"training__agreeing": 99}, "as many as agree"),
        ({"training__restarts": []}, "at least 1 restart"),
        ({"training__history": {"cost": [], "max_gradient": []}}, "at least 1 row"),
        ({"inputs__names": ["a", ""]}, "expected a name, found an empty text"),
        ({"inputs__names": ["a", "\ud800"]}, "a text has half a character"),
        ({"inputs__names": ["a", "score"]}, "an input and a target have the same name"),
        ({"inputs__scaling": "none"}, "not those of scaling 'none'"),
    ],
)
def test_a_right_checksum_does_not_excuse_wrong_content(model, changes, message):
    with pytest.raises(ModelFileError, match=message):
        parse_model(spoil(model, **changes))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"alpha": 0.0001', b'"alpha": NaN', "NaN is not a finite number"),
        (b'"alpha": 0.0001', b'"alpha": 1e999', "alpha must be finite"),
        (b'"alpha": 0.0001', b'"alpha": 0.0001, "alpha": 0.1', "a key occurs twice"),
        (b'"alpha": 0.0001', b'"alpha": ' + b"9" * 5000, "is not a valid model"),
        (b'"alpha": 0.0001', b'"alpha": ' + b"[" * 100_000, "is not a valid model"),
    ],
)
def test_json_tricks_are_refused(model, old, new, message):
    body = dump_model(model).split(b"\n", 4)[4]
    assert old in body
    with pytest.raises(ModelFileError, match=message):
        parse_model(resealed(body.replace(old, new)))


# ---------------------------------------------------------------- saving


def test_missing_and_unwritable_places(model, tmp_path):
    with pytest.raises(ModelFileError, match=r"cannot read .*: no such file"):
        load_model(tmp_path / "none.json")
    with pytest.raises(ModelFileError, match="is a directory"):
        load_model(tmp_path)
    with pytest.raises(DataError, match=r"cannot write .*: no such file or directory"):
        save_model(model, tmp_path / "no" / "m.json")
    with pytest.raises(DataError, match="it is a folder; give a file name"):
        save_model(model, tmp_path)


@pytest.mark.parametrize("name", ["write", "fsync", "replace", "fchmod", "close"])
@pytest.mark.parametrize("forever", [True, False])
def test_the_old_model_survives_every_failing_call(model, tmp_path, monkeypatch, name, forever):
    path = tmp_path / "model.json"
    path.write_bytes(b"the old one")
    real, calls, fail_at = getattr(os, name), 0, 1

    def failing(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls == fail_at or (forever and calls > fail_at):
            raise OSError(28, "No space left on device")
        return real(*arguments, **options)

    monkeypatch.setattr(files.os, name, failing)
    while True:  # fail at the first call, the second, ... until it comes through untouched
        calls = 0
        failure = None
        try:
            save_model(model, path)
        except DataError as error:
            failure = str(error)
        if failure is None:
            break
        assert "no space left" in failure
        assert path.read_bytes() in (b"the old one", dump_model(model))
        assert [p.name for p in tmp_path.iterdir()] == ["model.json"]
        fail_at += 1
    assert fail_at > 1
    assert path.read_bytes() == dump_model(model)


def test_short_writes_succeed(model, tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(files.os, "write", lambda handle, data: real(handle, data[:100]))
    save_model(model, tmp_path / "m.json")
    assert load_model(tmp_path / "m.json").theta.tobytes() == model.theta.tobytes()


CHILD = """
import os, signal, sys
import chainrule
import chainrule._files as files
real = files.os.{call}
def dying(*a, **k):
    os.kill(os.getpid(), signal.SIGKILL)
files.os.{call} = dying
files.write_atomically(sys.argv[1], b"new" * 1000)
"""


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_killed_save_keeps_the_old_file_and_is_swept_up(tmp_path, call):
    path = tmp_path / "model.json"
    path.write_bytes(b"the old one")
    done = subprocess.run([sys.executable, "-c", CHILD.format(call=call), str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"the old one"
    assert len(list(tmp_path.iterdir())) == 2  # what the killed process left
    files.write_atomically(path, b"the next one")
    assert [p.name for p in tmp_path.iterdir()] == ["model.json"]
    assert path.read_bytes() == b"the next one"


def test_a_full_disk_keeps_the_old_file(tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(b"the old one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(DataError, match=r"cannot write .*: file too large"):
            files.write_atomically(path, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"the old one"
    assert [p.name for p in tmp_path.iterdir()] == ["model.json"]


def test_permissions_and_links_are_kept(tmp_path):
    real = tmp_path / "real.json"
    real.write_bytes(b"old")
    real.chmod(0o640)
    (tmp_path / "link.json").symlink_to(real)
    files.write_atomically(tmp_path / "link.json", b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_writer_that_is_still_writing_is_left_alone(tmp_path):
    other = tmp_path / ".m.json.tmp-0123456789abcdef"
    other.write_bytes(b"half")
    with open(other, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        files.write_atomically(tmp_path / "m.json", b"whole")
        assert other.exists()
    files.write_atomically(tmp_path / "m.json", b"whole")
    assert not other.exists()


def test_many_threads_may_write_one_file(tmp_path):
    path = tmp_path / "m.json"
    contents = [bytes([65 + i]) * 5000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: files.write_atomically(path, content), contents * 10))
    assert path.read_bytes() in contents
    assert [p.name for p in tmp_path.iterdir()] == ["m.json"]


def test_pipes_are_written_to_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit((tmp_path / "pipe").read_bytes)
        files.write_atomically(tmp_path / "pipe", b"through")
        assert reading.result(timeout=10) == b"through"
    assert not (tmp_path / "pipe").is_file()


@pytest.mark.parametrize("name", ["a**b.json", "[x]?.json", "n" * 240, "漢" * 80, "new\nline.json"])
def test_odd_names_are_names(tmp_path, name):
    neighbour = tmp_path / ".aXb.json.tmp-0123456789abcdef"
    neighbour.write_bytes(b"another file's")
    (tmp_path / f".{name[:30]}.tmp-notes").write_bytes(b"somebody's notes")
    files.write_atomically(tmp_path / name, b"whole")
    assert (tmp_path / name).read_bytes() == b"whole"
    assert neighbour.exists()
    assert (tmp_path / f".{name[:30]}.tmp-notes").exists()


def test_what_could_not_be_read_back_is_kept_under_another_name(model, tmp_path):
    named = Model(**{**vars(model), "input_names": ("a" * 40_000, "b"), "columns": ()})
    with pytest.raises(DataError, match=r"m.json' was not written, as it could not be read back"):
        save_model(named, tmp_path / "m.json")
    assert [path.name for path in tmp_path.iterdir()] == ["m.json.unchecked"]
    assert (tmp_path / "m.json.unchecked").read_bytes() == dump_model(named)


@pytest.fixture(scope="module")
def known():
    """Return a model with a posterior, and the table it was fitted to."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    y = X[:, 0] - X[:, 1] ** 2 + 0.1 * rng.standard_normal(40)
    fitted = chainrule.NetworkRegressor((2,), n_restarts=1, noise="student").fit(X, y)
    return fitted.model_


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training__alpha": 10**30}, "is a whole number of more than 64 bits"),
        ({"training__known__influential__0__target": [1.0, 2.0]}, "influential row has 2 numbers"),
        ({"training__known__influential__0__without": []}, "influential row has 0 numbers"),
        ({"training__known__relevance": {}}, "relevance is of other outputs"),
        ({"training__known__relevance__y": {}}, "relevance is of other inputs"),
        ({"training__known__scores": {}}, "scores are of other targets"),
        ({"training__known__gamma": -48.16}, "gamma is -48.16, and has to be positive"),
        ({"training__known__coverage": 1.5}, "coverage is 1.5, and has to be from 0 to 1"),
        ({"training__known__influential__0__decides": 1}, "decides must be true or false"),
        ({"training__tails__theta": [1.0]}, "theta has 1 numbers"),
        ({"training__tails__scale": [0.0]}, "scale is 0.0, and has to be positive"),
        ({"training__evidence__ended": "x" * 9000}, "unknown end of the evidence 'x{60}'"),
        ({"posterior__share": -0.1}, "share is -0.1, and has to be at least 0"),
        ({"training__from_search": 1}, "from_search must be true or false"),
        ({"missing_values": [""]}, "expected a name"),
        ({"weight": 3}, "expected a text"),
        ({"inputs__scaling": "x" * 9000}, "^m is not a valid model: .{500}…$"),
    ],
)
def test_forged_numbers_of_what_is_known_are_refused(known, changes, message):
    document = json.loads(dump_model(known))
    for path, value in changes.items():
        at, (*parents, last) = document, path.split("__")
        for key in parents:
            at = at[int(key) if key.isdigit() else key]
        at[last] = value
    kept = {k: v for k, v in document.items() if k not in ("format", "version", "checksum")}
    with pytest.raises(ModelFileError, match=message) as caught:
        parse_model(resealed(json.dumps(kept).encode()[1:]), "m")
    assert len(str(caught.value)) < 600


def test_intervals_that_are_not_finite_are_refused(known):
    roots = np.full_like(known.posterior.roots, 1e200)
    posterior = replace(known.posterior, roots=roots)
    model = replace(known, posterior=posterior)
    with pytest.raises(DataError, match="the standard deviation for row 1 is not finite"):
        model.certainty(np.ones((2, 2)))


def test_a_posterior_that_no_file_can_hold_costs_only_the_posterior(known, tmp_path):
    path = tmp_path / "m.json"
    wide = replace(known.posterior, lowest=np.full(2, -1e200))
    with pytest.warns(UserWarning, match="the uncertainty of this model is not in its file"):
        save_model(replace(known, posterior=wide), path)
    again = load_model(path)
    assert again.posterior is None
    assert "too large or too small to be written down" in again.report.no_posterior
    assert again.theta.tobytes() == known.theta.tobytes()


def test_what_a_table_was_read_by_is_kept(known):
    model = replace(known, missing=Missing(("-", "NA")), weight_name="two\nlines")
    again = parse_model(dump_model(model))
    assert (again.missing, again.weight_name) == (model.missing, "two\nlines")
    assert parse_model(dump_model(known)).missing == Missing()


@pytest.mark.parametrize("word", ["\u00a0", "a\tb", "\u00ad", "👩\u200d🚀", "\u2028", "\x00"])
def test_any_letters_are_a_name(known, word):
    columns = (ColumnType("kind", "category", (word, "b")),)
    names = (f"kind={word}", "kind=b")
    named = replace(known, columns=columns, input_names=names, report=None)
    again = parse_model(dump_model(named))
    assert again.columns[0].levels == (word, "b")
    assert again.input_names[0] == f"kind={word}"


def test_version_zero_never_was(model):
    with pytest.raises(ModelFileError, match="has format version 0"):
        parse_model(dump_model(model).replace(b'"version": 5', b'"version": 0'))


FIXTURES = Path(__file__).parents[1] / "fixtures"
ROWS = [[0.5, -1.0, 0.25], [-1.5, 0.75, 2.0]]
OUTPUTS = {  # as they were when these files were written
    "classes": [
        [0.0393856607873349, 0.6955389211382205, 0.2650754180744448],
        [0.027795554572112996, 0.33198557870341844, 0.6402188667244686],
    ],
    "folds": [[1.7047545856602349], [-2.4317476028246574]],
    "signs": [[1.6096293539677378], [-0.8616710005945959]],
    "student": [[1.9040334412369684], [-2.5124783974706126]],
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_models_of_version_4_are_read_for_ever(name):
    path = FIXTURES / f"model-v4-{name}.json"
    old = load_model(path)
    assert old.outputs(ROWS) == pytest.approx(np.array(OUTPUTS[name]), rel=1e-12)
    written = json.loads(path.read_text())
    again = json.loads(dump_model(old))
    for part in ("training", "posterior", "weights", "network", "inputs", "targets", "columns"):
        assert again.get(part) == written.get(part), part
    assert "training     " in summary(old)


def test_a_report_has_no_untyped_part():
    def types(hint):
        yield hint
        for inside in get_args(hint):
            yield from types(inside)
        if is_dataclass(hint):
            for of in get_type_hints(hint, include_extras=True).values():
                yield from types(of)

    found = set(map(str, types(FitReport)))
    assert "typing.Any" not in found
    assert str(PosteriorReport) in found
