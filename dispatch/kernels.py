"""Where compiled kernels are kept: found again by what they were made of, never by where a file lies or when it was written.

numba's own cache knows one source file, by its path and time. It keeps a stale kernel when a function inlined from another
file changes, and it fails on a file that was cut off. Here the name of a kept kernel is a digest of everything that can
change its machine code: all sources beside it, the versions of what compiles it, the compiler's options, the processor,
and the types it is called with. So a copied checkout finds its kernels, and a changed one does not.
"""

import fcntl
import hashlib
import os
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Final

import llvmlite
import numba
import numpy as np
from numba.core import caching, config, serialize
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target

SETTING: Final = "YINLING_KERNELS"
_MAGIC: Final = b"yinling kernel 1\n"  # with the digest that follows, it tells a whole file from one cut off
_SUFFIX: Final = ".kernel"
_MARK: Final = "used"  # its time says when kernels were last used; a process that uses them holds a lock on it
_KEY: Final = re.compile(r"[0-9a-f]{20}")
_OPTIONS: Final = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK")  # of numba as a whole
_BELOW: Final = Path(__file__).parent / "__pycache__" / "kernels"
_numba: Any = numba  # its types leave out much of it, as those of the next three do
_caching: Any = caching
_config: Any = config
_serialize: Any = serialize
_result: Any = CompileResult
_target: Any = cpu_target

_folder: Path = _BELOW
_sources: dict[str, Path] = {}  # of each kernel, the folder its source lies in
_in_use: dict[Path, int | None] = {}  # folders of kernels this process has looked into, and its lock on their marks
_only_kept: ContextVar[bool] = ContextVar("only_kept", default=False)


class MissingKernelError(LookupError):
    """A kernel is not kept where only kept kernels may be used; the message names it."""


def kernels_folder(environment: Mapping[str, str]) -> Path:
    """The folder of kernels for a process: as `YINLING_KERNELS` says, else below this package, else in the user's cache.

    The package's own folder serves when it can be written, or when all kernels are in it already.
    """
    if environment.get(SETTING):
        return Path(environment[SETTING]).absolute()
    kept, wanted = _count(_BELOW)
    if kept == wanted or _writable(_BELOW):
        return _BELOW
    home = environment.get("XDG_CACHE_HOME") or environment.get("HOME", "") + "/.cache"
    return Path(home).absolute() / "yinling" / "kernels"


def keep_kernels_in(folder: Path) -> None:
    """Find and keep kernels there from now on."""
    global _folder  # noqa: PLW0603  numba asks each kernel's store by itself: there is nobody to hand the folder through
    _folder = folder


def kernels_writable() -> bool:
    """Whether what is compiled now can be kept."""
    return _writable(_folder)


def kernels_counted() -> tuple[int, int]:
    """How many kernels are kept for this program on this processor, and how many there are."""
    return _count(_folder)


@contextmanager
def only_kept_kernels() -> Generator[None]:
    """Inside, a call that would compile raises MissingKernelError instead."""
    token = _only_kept.set(True)
    try:
        yield
    finally:
        _only_kept.reset(token)


@cache
def sources_digest(folder: Path) -> str:
    """A digest of every source in a folder and below, as they are when the first kernel of it is defined."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def forget_unused_kernels(now: float, after_s: float) -> list[Path]:
    """Delete kernels of other versions that nobody has used for so long; returns their folders. `now` is Unix time.

    Left alone is what a process uses at this moment, what another user made, and whatever is not ours to know. Kernels
    without a mark were kept by a version that made none: they get one, and their time begins now.
    """
    own = {_key(sources) for sources in set(_sources.values())}
    for key in own:
        _use(_folder / key, now)
    gone: list[Path] = []
    with suppress(OSError):
        for folder in [path for path in _folder.iterdir() if _KEY.fullmatch(path.name) and path.name not in own]:
            with suppress(OSError):  # somebody else's, or already gone
                if _forget(folder, now - after_s):
                    gone.append(folder)
    return gone


def _forget(folder: Path, before: float) -> bool:
    if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.geteuid():
        return False
    mark = folder / _MARK
    if not mark.exists():
        mark.touch()
        return False
    descriptor = os.open(mark, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while anybody uses them
        if os.fstat(descriptor).st_mtime > before:
            return False
        for file in [*folder.glob(f"*{_SUFFIX}"), *folder.glob("*.unfinished"), mark]:
            file.unlink(missing_ok=True)
        folder.rmdir()
    finally:
        os.close(descriptor)
    return True


def _use(folder: Path, now: float | None = None) -> None:
    """Leave word that this process uses the kernels of a folder, as long as it runs; where that cannot be, do without."""
    if folder not in _in_use and folder.is_dir():
        _in_use[folder] = None
        with suppress(OSError):
            descriptor = os.open(folder / _MARK, os.O_RDONLY | os.O_CREAT, 0o644)
            _in_use[folder] = descriptor
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            os.utime(descriptor, None if now is None else (now, now))


def keep(kernel: Any, options: Mapping[str, Any]) -> None:
    """Let a kernel look for its machine code in the folder before it is compiled, and leave it there afterwards."""
    kernel._cache = _Store(kernel.py_func, options)  # noqa: SLF001  what numba's own `cache=True` sets


@cache
def _key(sources: Path) -> str:
    """A name for all kernels made of these sources by the present tools for the present processor."""
    parts = [
        sources_digest(sources),
        sys.implementation.cache_tag,
        _numba.__version__,
        llvmlite.__version__,
        np.__version__,
    ]
    parts += [f"{name}={getattr(_config, name)}" for name in _OPTIONS]
    parts.append(repr(_target.target_context.codegen().magic_tuple()))
    return _digest("|".join(parts))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _count(folder: Path) -> tuple[int, int]:
    kept: set[str] = set()
    for sources in set(_sources.values()):
        with suppress(OSError):  # nothing was kept there, or not for us
            kept.update(file.name.rpartition("-")[0] for file in (folder / _key(sources)).glob(f"*{_SUFFIX}"))
    return len(kept & set(_sources)), len(_sources)


def _writable(folder: Path) -> bool:
    return all(_may_write(folder / _key(sources)) for sources in set(_sources.values()))


def _may_write(folder: Path) -> bool:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


class _Store(_caching._Cache):  # noqa: SLF001  the base class of numba's own caches
    """Keeps one kernel, a file for each combination of types.

    A file is written under another name and renamed. Who writes it holds a lock on that file meanwhile, so several
    processes share the work: whoever comes second waits for the kernel instead of compiling it again. A lock of a process
    that dies is free, and what it left behind is written over.
    """

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._options = repr(sorted(options.items()))
        self._claims: dict[Path, int] = {}
        self._enabled = True
        self._sources = _sources[self._name] = Path(function.__code__.co_filename).absolute().parent
        sources_digest(self._sources)  # now: later the files may be others than the ones this process runs

    @property
    def cache_path(self) -> str:
        return str(_folder / _key(self._sources))

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Kept kernels are never stale: a change finds another name."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel for these argument types, or None when it is to be compiled now."""
        target_context.refresh()
        if not self._enabled:
            return None
        path = self._path(sig)
        _use(path.parent)
        kept = _read(path)
        if kept is None:
            if _only_kept.get():
                raise MissingKernelError(self._name)
            if path in self._claims or not self._claim(path):
                return None
            kept = _read(path)  # somebody else may have written it while this process waited
            if kept is None:
                return None
            self._give_up(path)
        return _result._rebuild(target_context, *pickle.loads(kept))  # noqa: S301, SLF001  as numba does

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled."""
        path = self._path(sig)
        claim = self._claims.pop(path, None)
        if claim is None:
            return
        body = _serialize.dumps(data._reduce())  # noqa: SLF001  as numba does
        try:
            with os.fdopen(claim, "wb") as file:
                file.truncate()
                file.write(_MAGIC + hashlib.sha256(body).digest() + body)
                file.flush()
                os.replace(_unfinished(path), path)  # noqa: PTH105  the lock is still held
        except OSError as error:
            _say(error)

    def _path(self, sig: Any) -> Path:
        return _folder / _key(self._sources) / f"{self._name}-{_digest(f'{sig}|{self._options}')}{_SUFFIX}"

    def _claim(self, path: Path) -> bool:
        """Wait for others who compile this kernel, then be the one who does; False when it cannot be kept."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _use(path.parent)
            while True:
                descriptor = _open(_unfinished(path))
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if _same(descriptor, _unfinished(path)):
                    self._claims[path] = descriptor
                    return True
                os.close(descriptor)  # the one before has finished and renamed it
                if _read(path) is not None:
                    return True
        except OSError as error:
            _say(error)
            return False

    def _give_up(self, path: Path) -> None:
        claim = self._claims.pop(path, None)
        if claim is not None:
            _unfinished(path).unlink(missing_ok=True)
            os.close(claim)


def _open(path: Path) -> int:
    """A file to lock and write. One that another user left is waited for and then replaced."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _same(descriptor, path):
                path.unlink()
        finally:
            os.close(descriptor)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _same(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _unfinished(path: Path) -> Path:
    return path.with_suffix(".unfinished")


def _read(path: Path) -> bytes | None:
    """What a file keeps; None for one that is missing, cut off or spoilt, or that may not be read."""
    try:
        found = path.read_bytes()
    except OSError:
        return None
    head = len(_MAGIC) + hashlib.sha256().digest_size
    body = found[head:]
    return body if found[:head] == _MAGIC + hashlib.sha256(body).digest() else None


def _say(error: OSError) -> None:
    text = f"compiled kernels cannot be kept in {_folder} ({error.strerror}); set {SETTING} to a folder that can be written"
    warnings.warn(text, RuntimeWarning, stacklevel=2)
