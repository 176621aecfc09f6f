"""Kernels of versions nobody uses any more are deleted, and nothing else ever is."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch import kernels

DAY_S = 86400.0
NOW = 2_000_000_000.0
AFTER_S = 30 * DAY_S


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of kernels with this version's own in it."""
    monkeypatch.setattr(kernels, "_folder", tmp_path)
    monkeypatch.setattr(kernels, "_in_use", {})
    for sources in set(kernels._sources.values()):
        (tmp_path / kernels._key(sources)).mkdir()
    yield tmp_path
    for descriptor in kernels._in_use.values():
        if descriptor is not None:
            os.close(descriptor)


def kept(folder: Path, letter: str, used_s_ago: float | None = 31 * DAY_S) -> Path:
    """Another version's kernels, used last so long ago, or never marked."""
    made = folder / (letter * 20)
    made.mkdir()
    for name in ("a.b-1.kernel", "a.c-2.kernel", "a.d-3.unfinished"):
        (made / name).write_bytes(b"machine code")
    if used_s_ago is not None:
        (made / "used").touch()
        os.utime(made / "used", (NOW - used_s_ago, NOW - used_s_ago))
    return made


def forget() -> list[Path]:
    return kernels.forget_unused_kernels(NOW, AFTER_S)


def test_what_nobody_has_used_for_a_month_goes_and_what_was_used_stays(folder: Path):
    old, recent = kept(folder, "a"), kept(folder, "b", 29 * DAY_S)
    own = {path for path in folder.iterdir() if path not in {old, recent}}
    assert forget() == [old]
    assert set(folder.iterdir()) == {recent, *own}
    assert len(list(recent.iterdir())) == 4


def test_what_a_process_of_another_version_uses_stays_however_long_ago_it_began(folder: Path):
    """A server that has run for two months may start its solver again at any moment."""
    old = kept(folder, "a", 60 * DAY_S)
    with (old / "used").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert forget() == []
        assert len(list(old.iterdir())) == 4
    assert forget() == [old]


def test_a_process_that_uses_kernels_says_so_for_as_long_as_it_runs(folder: Path):
    forget()
    (own,) = folder.iterdir()
    assert (own / "used").stat().st_mtime == NOW
    with (own / "used").open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_time_of_kernels_that_were_never_marked_begins_now(folder: Path):
    old = kept(folder, "a", None)
    assert forget() == []
    assert len(list(old.iterdir())) == 4
    os.utime(old / "used", (NOW - 31 * DAY_S,) * 2)
    assert forget() == [old]


def test_nothing_that_is_not_ours_is_touched(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    elsewhere = kept(tmp_path_factory.mktemp("elsewhere"), "a")
    (folder / ("c" * 20)).symlink_to(elsewhere)
    (folder / "notes").mkdir()
    (folder / ("d" * 20)).write_text("a file")
    (folder / ("E" * 20)).mkdir()
    stranger = kept(folder, "f")
    (stranger / "letter.txt").write_text("somebody's")
    before = {path.name for path in folder.iterdir()}
    assert forget() == []
    assert {path.name for path in folder.iterdir()} == before
    assert (stranger / "letter.txt").exists()
    assert len(list(elsewhere.iterdir())) == 4


def test_another_users_kernels_and_folders_that_are_not_there_are_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    old = kept(folder, "a")
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    assert forget() == []
    assert len(list(old.iterdir())) == 4
    monkeypatch.setattr(kernels, "_folder", folder / "nowhere")
    assert forget() == []
