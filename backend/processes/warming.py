"""The compiled kernels, at hand before anybody waits for them.

Where they were kept, loading them takes a second. Where not, they are compiled by processes of their own: compiling holds
the interpreter's lock for minutes. Several processes that compile at once share the work kernel by kernel.
"""

import asyncio
import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Final

import structlog

from backend.core.clock import machine_now
from backend.processes.children import end_with_parent
from backend.processes.logging import where
from dispatch import (
    KERNELS_SETTING,
    MissingKernelError,
    forget_unused_kernels,
    keep_kernels_in,
    kernels_folder,
    kernels_writable,
    only_kept_kernels,
    warm,
    warm_quotes,
)

GROUPS: Final[Mapping[str, Callable[[], None]]] = {"quotes": warm_quotes, "search": warm}
_LOOK_S: Final = 0.2
_AGAIN_S: Final = 10.0
_UNUSED_S: Final = 30 * 86400  # other versions' kernels nobody has used for so long are deleted
log = structlog.get_logger()


class KernelsError(RuntimeError):
    """The kernels could not be compiled."""


def use_kernels() -> Path:
    """Find and keep kernels where the setting says; returns the folder. Every process that plans calls it first."""
    folder = kernels_folder(os.environ)
    keep_kernels_in(folder)
    return folder


def tidy_kernels() -> None:
    """Delete what versions of long ago have left in the folder: each upgrade adds some ten megabytes."""
    for folder in forget_unused_kernels(machine_now().timestamp(), _UNUSED_S):
        log.info("kernels.forgotten", name=folder.name)


def load_kernels(groups: Sequence[str]) -> bool:
    """Load kernels that are kept; False when one of them would have to be compiled."""
    try:
        with only_kept_kernels():
            for group in groups:
                GROUPS[group]()
    except MissingKernelError:
        return False
    return True


class Compilation:
    """One process for each group of kernels, killed with this one or when the `with` block is left before they end."""

    def __init__(self, folder: Path, groups: Sequence[str]) -> None:
        context = get_context("spawn")
        self._processes = [
            context.Process(target=_compile, args=(os.getpid(), folder, group), name=f"kernels-{group}", daemon=True)
            for group in groups
        ]

    def __enter__(self) -> "Compilation":
        for process in self._processes:
            process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.join()
            process.close()

    @property
    def running(self) -> bool:
        """Whether something is still being compiled. Raises KernelsError when a process failed."""
        broken = [process for process in self._processes if process.exitcode not in {None, 0}]
        if broken:
            raise KernelsError(f"{broken[0].name} ended with {broken[0].exitcode}")
        return any(process.exitcode is None for process in self._processes)


def _compile(parent: int, folder: Path, group: str) -> None:
    """The work of one process: what is kept already is only loaded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    end_with_parent(parent)
    keep_kernels_in(folder)
    GROUPS[group]()


async def warm_kernels(warm: asyncio.Event, groups: Sequence[str]) -> None:
    """Make the kernels ready, then say so. What fails is tried again: until then this process does not plan."""
    while not warm.is_set():
        try:
            await _make_ready(groups)
            warm.set()
            await asyncio.to_thread(tidy_kernels)
        except Exception as error:
            log.exception("kernels.not_ready", error=type(error).__name__, reason=str(error), trace=where(error))
            await asyncio.sleep(_AGAIN_S)


async def _make_ready(groups: Sequence[str]) -> None:
    folder = use_kernels()
    if await asyncio.to_thread(load_kernels, groups):
        return
    if not kernels_writable():
        folder = _own_folder()
        log.warning(
            "kernels.kept_for_this_process_only", reason=f"set {KERNELS_SETTING} to a folder that can be written"
        )
    log.warning("kernels.compiling", reason="`yinling kernels` compiles them before a process starts")
    with Compilation(folder, groups) as compilation:
        while compilation.running:  # noqa: ASYNC110  no event: processes end by themselves
            await asyncio.sleep(_LOOK_S)
    if not await asyncio.to_thread(load_kernels, groups):
        raise KernelsError(f"the kernels are not in {folder}")


def _own_folder() -> Path:
    """A folder for this process and its children, thrown away at its end: a container that can write nowhere else."""
    folder = Path(tempfile.mkdtemp(prefix="yinling-kernels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[KERNELS_SETTING] = str(folder)
    keep_kernels_in(folder)
    return folder
