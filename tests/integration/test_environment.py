"""The environment is made wherever the checkout lies, and anew when it cannot be used. No package is installed here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/sh
# stands for a Python: makes an environment with a copy of itself, and says what it was asked for
case "$*" in
*version_info*) exit 0 ;;
"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*) echo "$PWD|$PYTHONPATH|$*" >>"${ASKED:-/dev/null}" ;;
esac
"""


class Checkout:
    """As much of a checkout as making its environment needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ops").mkdir(parents=True)
        for name in ("Makefile", "ops/environment.sh"):
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, folder / name)
        (folder / "requirements.lock").write_text("")
        self.python = folder / "python3"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)

    def make(self, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--no-print-directory", ".venv/ready", f"PYTHON={self.folder / 'python3'}", *more],
            cwd=self.folder, capture_output=True, text=True, check=False, env={**os.environ, **environment},
        )  # fmt: skip

    def run(self, command: Path, *arguments: str, cwd: Path) -> str:
        """What `yinling` asked its Python for."""
        asked = self.folder.parent / "asked"
        asked.write_text("")
        subprocess.run([command, *arguments], cwd=cwd, check=True, env={**os.environ, "ASKED": str(asked)})
        return asked.read_text().strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "养老 服务 of a city" / ("long " * 20 + "name"))


def test_the_command_finds_a_checkout_that_was_moved(checkout: Checkout, tmp_path: Path) -> None:
    """It is run from anywhere, through a link, and by people who have renamed the folder since."""
    assert checkout.make().returncode == 0, checkout.make().stderr
    moved = tmp_path / "somewhere else 在别处"
    checkout.folder.rename(moved)
    (tmp_path / "linked").symlink_to(moved / ".venv" / "bin" / "yinling")
    for command in (moved / ".venv" / "bin" / "yinling", tmp_path / "linked"):
        where, path, words = checkout.run(command, "watch", "--as", "a b", cwd=tmp_path).split("|")
        assert (where, path) == (str(tmp_path), str(moved))
        assert words.endswith("-m backend watch --as a b")


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Checkout) -> None:
    """A system's upgrade removes the Python that an environment points to."""
    assert checkout.make().returncode == 0
    python = checkout.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    said = subprocess.run([python.with_name("yinling")], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert "run make demo" in said.stderr
    done = checkout.make()
    assert (done.returncode, os.access(python, os.X_OK)) == (0, True), done.stderr


def test_an_environment_that_was_killed_half_way_is_made_anew(checkout: Checkout) -> None:
    """Packages that are half there count as there for pip."""
    assert checkout.make().returncode == 0
    half = checkout.folder / ".venv" / "half"
    half.touch()
    (checkout.folder / ".venv" / "unfinished").touch()
    assert checkout.make().returncode == 0
    assert not half.exists()


def test_an_environment_that_fits_is_left_alone(checkout: Checkout) -> None:
    """Everybody starts with `make demo`, every time."""
    assert checkout.make().returncode == 0
    kept = checkout.folder / ".venv" / "kept"
    kept.touch()
    assert checkout.make().returncode == 0
    assert kept.exists()


def test_a_path_no_environment_can_have_is_named_in_one_line(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "at 10:30")
    done = checkout.make()
    assert done.returncode != 0
    assert done.stderr.splitlines()[0].endswith("move this checkout")
    assert not (checkout.folder / ".venv").exists()


def test_without_a_python_that_fits_one_line_says_which_are(checkout: Checkout) -> None:
    checkout.python.write_text("#!/bin/sh\nexit 1\n")
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        shutil.copy(checkout.python, checkout.folder / "ops" / name)
    done = checkout.make(PATH=f"{checkout.folder / 'ops'}:{os.environ['PATH']}")
    assert done.returncode != 0
    assert "3.11 to 3.14" in done.stderr.splitlines()[0]
    assert not (checkout.folder / ".venv").exists()
