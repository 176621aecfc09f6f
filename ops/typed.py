"""Read the types of what has changed since they were last found right, and of all that imports it.

To read all of them takes half a minute of one core, to read what follows from one slice a few seconds. What was found
right is kept in `.venv/typed`, a digest for each file; another setting, another library or a file that is gone makes
everything be read again.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Set as AbstractSet
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOUND_RIGHT = ROOT / ".venv" / "typed"
PACKAGES = ("backend", "dispatch")
SETTINGS = ("pyproject.toml", "requirements-dev.lock")


def _digests() -> dict[str, str]:
    files = [ROOT / name for name in SETTINGS]
    for package in PACKAGES:
        files += sorted((ROOT / package).rglob("*.py"))
    return {file.relative_to(ROOT).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _importing(changed: AbstractSet[str]) -> list[str]:
    """The changed files and those that import them, directly or not; none, which is all, where one is no Python."""
    import grimp  # noqa: PLC0415 - where nothing has changed nobody waits for it
    from grimp.exceptions import SourceSyntaxError  # noqa: PLC0415

    try:
        graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    except SourceSyntaxError:
        return []
    files = {name: _file(name) for name in graph.modules}
    wanted = {name for name, file in files.items() if file in changed}
    for name in tuple(wanted):
        wanted |= graph.find_downstream_modules(name)
    return sorted(files[name] for name in wanted)


def _file(module: str) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"


def main() -> int:
    """What the type checker returns, 0 where nothing has changed."""
    now = _digests()
    before: dict[str, str] = json.loads(FOUND_RIGHT.read_text()) if FOUND_RIGHT.is_file() else {}
    changed = {name for name, digest in now.items() if before.get(name) != digest}
    if not changed and before.keys() == now.keys():
        return 0
    everything = bool(before.keys() - now.keys() or changed.intersection(SETTINGS))
    read = [] if everything else _importing(changed)
    checked = subprocess.run([sys.executable, "-m", "basedpyright", "--level", "error", *read], cwd=ROOT, check=False)
    if checked.returncode == 0 and os.access(FOUND_RIGHT.parent, os.W_OK):
        FOUND_RIGHT.write_text(json.dumps(now))
    return checked.returncode


if __name__ == "__main__":
    sys.exit(main())
