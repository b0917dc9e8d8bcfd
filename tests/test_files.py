"""Files are written whole or not at all, and nothing is written over but what is named."""

import errno
import fcntl
import os
import subprocess
import sys
import warnings

import pytest

from chainrule import DataError
from chainrule import _files as files
from chainrule._errors import ChainruleWarning, WriteError


def shell(command):
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


WRITE = (
    "from chainrule._files import write_atomically as w; import sys; w(sys.argv[1], b'answer\\n')"
)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "{dir}/link"])
def test_what_stdout_leads_to_is_appended_to(tmp_path, name):
    (tmp_path / "link").symlink_to("/dev/stdout")
    log = tmp_path / "log"
    log.write_text("precious\n")
    before = os.stat(log).st_ino
    done = shell(f'{sys.executable} -c "{WRITE}" {name.format(dir=tmp_path)} >> {log}')
    assert done.returncode == 0, done.stderr
    assert log.read_text() == "precious\nanswer\n"
    assert os.stat(log).st_ino == before


def test_pipes_and_process_substitutions_are_written_straight_to(tmp_path):
    done = shell(f'{sys.executable} -c "{WRITE}" /dev/stdout | cat')
    assert done.stdout == "answer\n"
    done = shell(f'{sys.executable} -c "{WRITE}" >(cat > {tmp_path}/copy); sleep 0.2')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy").read_text() == "answer\n"
    done = shell(
        f'mkfifo {tmp_path}/f; cat {tmp_path}/f & {sys.executable} -c "{WRITE}" {tmp_path}/f; wait'
    )
    assert done.stdout == "answer\n"
    assert (tmp_path / "f").is_fifo()


def test_what_another_process_has_open_is_not_replaced(tmp_path):
    log = tmp_path / "log"
    log.write_text("precious\n")
    with log.open("a") as stream:
        command = f'{sys.executable} -c "{WRITE}" /proc/{os.getpid()}/fd/{stream.fileno()}'
        done = shell(command)
    assert "it is open in another process" in done.stderr
    assert log.read_text() == "precious\n"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_written_with_a_warning(tmp_path, monkeypatch, number):
    def unlocked(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", unlocked)
    with pytest.warns(ChainruleWarning, match="is written without a lock"):
        files.write_atomically(tmp_path / "m", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ChainruleWarning):
            files.write_atomically(tmp_path / "n", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("place", ["no/m", "", "n" * 300, "file/m"])
def test_what_cannot_be_written_is_refused_before(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot write"):
        files.require_writable(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("place", ["new", "file", "fifo"])
def test_looking_whether_a_file_can_be_written_changes_nothing(tmp_path, place):
    (tmp_path / "file").write_text("precious")
    os.mkfifo(tmp_path / "fifo")
    before = sorted(path.name for path in tmp_path.iterdir())
    files.require_writable(tmp_path / place)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("how", ["itself", "symlink", "hardlink", "dots"])
def test_an_input_under_another_name_is_still_the_input(tmp_path, how):
    source = tmp_path / "t.csv"
    source.write_text("x\n1\n")
    out = {"itself": source, "dots": tmp_path / "." / "t.csv"}.get(how, tmp_path / how)
    if how == "symlink":
        out.symlink_to(source)
    if how == "hardlink":
        out.hardlink_to(source)
    with pytest.raises(DataError, match=r"would replace .*t\.csv'"):
        files.require_other_file(str(out), [str(source)])


def test_what_could_not_be_written_is_kept_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = files.keep_aside(b"whole", "/no/such/model.json")
    assert kept.endswith("-model.json")
    assert (tmp_path / os.path.basename(kept)).read_bytes() == b"whole"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no"))
    assert files.keep_aside(b"whole", "m") is None
