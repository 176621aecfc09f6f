"""`yinling kernels`: compile what is missing, so that no process that plans has to. Set-up, images and the demo call it."""

import asyncio
import sys
import time
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from backend.processes.warming import GROUPS, Compilation, KernelsError, load_kernels, tidy_kernels, use_kernels
from dispatch import KERNELS_SETTING, kernels_counted, kernels_writable

_LOOK_S: Final = 0.3
_SAY_EVERY_S: Final = 10.0


def main() -> int:
    """The command; 1 when the kernels cannot be compiled or kept."""
    try:
        asyncio.run(prepare_kernels(Console(stderr=True)))
    except KernelsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def prepare_kernels(console: Console) -> None:
    """Compile the kernels that are missing, showing how many are done. Raises KernelsError."""
    folder = use_kernels()
    kept, wanted = kernels_counted()
    if kept == wanted:
        tidy_kernels()
        return
    if not kernels_writable():
        raise KernelsError(f"{folder} cannot be written; set {KERNELS_SETTING} to a folder for compiled kernels")
    with Compilation(folder, tuple(GROUPS)) as compilation:
        if console.is_terminal:
            await _show(console, compilation)
        else:
            await _say(console, compilation)
    if not load_kernels(tuple(GROUPS)):
        raise KernelsError(f"the kernels are not in {folder} after compiling them")
    tidy_kernels()


async def _show(console: Console, compilation: Compilation) -> None:
    """A bar, where there is somebody to look at it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        kept, wanted = kernels_counted()
        task = progress.add_task("Compiling the planner, once (about two minutes)", total=wanted, completed=kept)
        while compilation.running:
            await asyncio.sleep(_LOOK_S)
            progress.update(task, completed=kernels_counted()[0])
        progress.update(task, completed=kernels_counted()[0])


async def _say(console: Console, compilation: Compilation) -> None:
    """A line now and then."""
    due = time.monotonic()
    while compilation.running:
        if time.monotonic() >= due:
            kept, wanted = kernels_counted()
            console.print(
                f"Compiling the planner, once (about two minutes): {kept} of {wanted} kernels", soft_wrap=True
            )
            due += _SAY_EVERY_S
        await asyncio.sleep(_LOOK_S)
