"""Where there is no compiler it installs, works, and says so."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(
    importlib.util.find_spec("scikit_build_core") is None or not (ROOT / "CMakeLists.txt").exists(),
    reason="needs the build backend and the sources",
)
def test_it_installs_works_and_says_so(tmp_path):
    source, there = tmp_path / "source", tmp_path / "there"
    ignored = shutil.ignore_patterns(".*", "build", "demo", "__pycache__")
    shutil.copytree(ROOT, source, ignore=ignored)
    # -S and the packages by hand: the finder of an editable installation would come first
    path = os.pathsep.join([str(there), sysconfig.get_path("platlib")])
    environment = {**os.environ, "CXX": "/there/is/no/compiler", "PYTHONPATH": path}
    environment.pop("CHAINRULE_KERNEL", None)

    def run(*command):
        done = subprocess.run(
            [sys.executable, "-S", *command],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    backend = "from scikit_build_core.build import build_wheel; print(build_wheel('..'))"
    wheel = subprocess.run(
        [sys.executable, "-c", backend],
        env=environment,
        cwd=source,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert wheel.returncode == 0, wheel.stderr
    shutil.unpack_archive(tmp_path / wheel.stdout.split()[-1], there, "zip")
    assert not list(there.rglob("_native*.so"))
    assert "NumPy reference; built without a C++ compiler" in run("-m", "chainrule", "--version")
    (tmp_path / "t.csv").write_text("a,b,y\n3,5,75\n5,1,82\n10,2,93\n")
    fit = ("-m", "chainrule", "fit", "t.csv", "--target", "y", "--out", "m.json", "--restarts", "2")
    assert "converged" in run(*fit)
