"""Compiled kernels are kept by what they are made of: never stale, never a crash, and compiled once."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.processes.warming import GROUPS, load_kernels
from dispatch import kernels_counted, kernels_folder

ROOT = Path(__file__).resolve().parents[2]
_NOBODY = 65534
_CALLEE = """
from dispatch.engine.compiling import inlined
@inlined
def doubled(x):
    return FACTOR * x
"""
_CALLER = """
from dispatch.engine.compiling import compiled, entry
from tiny.callee import doubled
@compiled
def more(x):
    return doubled(x) + 1
@entry
def asked(x):
    return more(x)
"""
# the machinery itself, without the planner around it: importing that takes seconds
_RUN = """
import json, os, signal, sys, types
from pathlib import Path
package = types.ModuleType("dispatch")
package.__path__ = [sys.argv[1]]
sys.modules["dispatch"] = package
sys.path.insert(0, sys.argv[2])
from dispatch.kernels import keep_kernels_in, kernels_counted
keep_kernels_in(Path(sys.argv[3]))
if "die" in sys.argv:
    os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from tiny.caller import asked, more
answer = asked(20)
stats = [kernel.stats for kernel in (asked, more)]
compiled = sum(n for stat in stats for n in stat.cache_misses.values())
try:
    refused = False if "inner" in sys.argv and more(20) else None
except TypeError as error:
    refused = str(error)
print(json.dumps({"answer": answer, "compiled": compiled, "kept": kernels_counted(), "refused": refused}))
"""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A folder with a tree of three small kernels in it."""
    _tree(tmp_path / "tree", 2)
    yield tmp_path
    subprocess.run(["chmod", "-R", "u+rwX", str(tmp_path)], check=True)


def _tree(folder: Path, factor: int) -> Path:
    package = folder / "tiny"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "callee.py").write_text(_CALLEE.replace("FACTOR", str(factor)))
    (package / "caller.py").write_text(_CALLER)
    return folder


def _start(tree: Path, folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """One process that asks the kernels of a tree; root gives up being above all permissions."""
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    home = {"PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
    return subprocess.Popen(
        [*plain, sys.executable, "-c", _RUN, str(ROOT / "dispatch"), str(tree), str(folder), *words],
        env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
    )  # fmt: skip


def _asked(tree: Path, folder: Path, *words: str, **environment: str) -> dict[str, Any]:
    process = _start(tree, folder, *words, **environment)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


def _frozen(folder: Path) -> Path:
    """Nobody can write there any more."""
    subprocess.run(["chmod", "-R", "a-w", str(folder)], check=True)
    return folder


def test_a_read_only_copy_at_another_path_finds_what_was_compiled(room: Path):
    """An image, a moved checkout and a fresh clone have the same sources at another path and time."""
    first = _asked(room / "tree", room / "kernels")
    assert (first["answer"], first["compiled"], first["kept"]) == (41, 2, [3, 3])
    shutil.copytree(room / "tree", room / "elsewhere" / "deep")
    shutil.copytree(room / "kernels", room / "image")
    os.utime(room / "elsewhere" / "deep" / "tiny" / "caller.py", (1, 1))
    again = _asked(_frozen(room / "elsewhere") / "deep", _frozen(room / "image"))
    assert (again["answer"], again["compiled"]) == (41, 0)


def test_a_changed_callee_in_another_file_is_never_answered_with_the_old_code(room: Path):
    """The caller's own file is the same: numba's own cache would go on with what was inlined before."""
    tree, folder = room / "tree", room / "kernels"
    assert _asked(tree, folder)["answer"] == 41
    before = (tree / "tiny" / "callee.py").stat()
    _tree(tree, 3)
    os.utime(tree / "tiny" / "callee.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _asked(tree, folder)["answer"] == 61


def test_an_upgrade_of_a_tree_that_cannot_be_written_is_not_answered_with_the_old_code(room: Path):
    """It is compiled at each start, which is slow and said, but right."""
    tree, folder = room / "tree", room / "kernels"
    assert _asked(tree, folder)["answer"] == 41
    _tree(tree, 3)
    _frozen(tree)
    process = _start(tree, _frozen(folder))
    out, err = process.communicate(timeout=120)
    assert json.loads(out)["answer"] == 61
    assert "YINLING_KERNELS" in err


def test_a_compile_killed_half_way_is_done_anew(room: Path):
    """What it left behind is neither taken for a kernel nor in the way."""
    tree, folder = room / "tree", room / "kernels"
    killed = _start(tree, folder, "die")
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert list(folder.rglob("*.unfinished"))
    assert _asked(tree, folder)["answer"] == 41
    assert not list(folder.rglob("*.unfinished"))
    assert _asked(tree, folder)["compiled"] == 0


def test_truncated_and_spoilt_files_are_compiled_anew(room: Path):
    """A full disk or a pulled plug leaves files that are cut off anywhere."""
    tree, folder = room / "tree", room / "kernels"
    _asked(tree, folder)
    asked, doubled, more = sorted(folder.rglob("*.kernel"))
    asked.write_bytes(asked.read_bytes()[:100])
    doubled.write_bytes(b"")
    more.write_bytes(more.read_bytes()[:-1] + b"?")
    again = _asked(tree, folder)
    assert (again["answer"], again["compiled"]) == (41, 2)
    assert _asked(tree, folder)["compiled"] == 0


def test_what_another_user_left_half_written_stops_nobody(room: Path):
    """Root compiled first and was stopped; its files are not ours to write."""
    tree, folder = room / "tree", room / "kernels"
    _asked(tree, folder)
    for file in list(folder.rglob("*.kernel")):
        unfinished = file.with_suffix(".unfinished")
        file.rename(unfinished)
        unfinished.write_bytes(b"half")
        unfinished.chmod(0o444)
        if os.geteuid() == 0:
            os.chown(unfinished, _NOBODY, _NOBODY)
    again = _asked(tree, folder)
    assert (again["answer"], again["compiled"]) == (41, 2)
    assert _asked(tree, folder)["compiled"] == 0


def test_two_processes_compile_each_kernel_once(room: Path):
    """They share the work: who comes second waits for a kernel instead of compiling it again."""
    several = [_start(room / "tree", room / "kernels") for _ in range(3)]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in several]
    assert [answer["answer"] for answer in answers] == [41, 41, 41]
    assert sum(answer["compiled"] for answer in answers) == 2


def test_an_image_compiles_for_any_processor_beside_what_this_one_has(room: Path):
    """Machine code for the processor it was built on may stop another with an illegal instruction."""
    tree, folder = room / "tree", room / "kernels"
    assert _asked(tree, folder)["compiled"] == 2
    assert _asked(tree, folder, NUMBA_CPU_NAME="generic")["compiled"] == 2
    assert _asked(tree, folder, NUMBA_CPU_NAME="generic")["compiled"] == 0
    assert _asked(tree, folder)["compiled"] == 0
    image = (ROOT / "Dockerfile").read_text()
    assert image.index("NUMBA_CPU_NAME=generic") < image.index("RUN python -m backend kernels") < image.index("USER")


def test_python_cannot_call_what_only_kernels_may(room: Path):
    """It has no entry for Python: the call would jump nowhere."""
    assert "called by kernels only" in _asked(room / "tree", room / "kernels", "inner")["refused"]


def test_kernels_see_nothing_but_their_own_folder():
    """Kernels are kept by a digest of their folder: what they took from elsewhere could change unnoticed."""
    for file in (ROOT / "dispatch" / "engine").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            for name in named:
                own = name.startswith("dispatch.engine.") or (name, file.name) == ("dispatch.kernels", "compiling.py")
                assert own or not name.startswith(("dispatch", "backend")), (file.name, name)


def test_set_up_has_compiled_every_kernel():
    """`make setup` counts to the end, and nothing a process asks for first is missing then."""
    kept, wanted = kernels_counted()
    assert kept == wanted
    assert load_kernels(tuple(GROUPS))


def test_the_folder_is_the_settings_else_below_the_checkout_else_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A service's user often has no home, and an image's tree is root's."""
    told = {"YINLING_KERNELS": str(tmp_path / "told"), "HOME": "/home/someone"}
    assert kernels_folder(told) == tmp_path / "told"
    assert ROOT in kernels_folder({"HOME": "/home/someone"}).parents
    monkeypatch.setattr("dispatch.kernels._BELOW", tmp_path / "nothing")
    monkeypatch.setattr("dispatch.kernels._writable", lambda _: False)  # root may write everywhere
    assert kernels_folder({"HOME": "/home/someone"}) == Path("/home/someone/.cache/yinling/kernels")
    assert kernels_folder({"HOME": "/x", "XDG_CACHE_HOME": "/cache"}) == Path("/cache/yinling/kernels")
