"""Child processes that end with their parent, however it dies: stopped, crashed or killed."""

import ctypes
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LOOK_S: Final = 1.0


def end_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Have this process sent a signal as soon as its parent is gone; `parent` is the id of the process that started it.

    Linux does it by itself, even while compiled code holds the interpreter's lock. Elsewhere a thread looks every second.
    """
    asked = _ask_the_kernel(number)
    if os.getppid() != parent:  # it died before we could ask
        os.kill(os.getpid(), number)
    if not asked:
        threading.Thread(target=_watch, args=(parent, number), name="parent", daemon=True).start()


def _ask_the_kernel(number: int) -> bool:
    if sys.platform != "linux":
        return False
    return ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) == 0


def _watch(parent: int, number: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), number)


class OneHelper(ProcessPoolExecutor):
    """An executor of one process for work that would hold our interpreter's lock. Make it in the main thread."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, mp_context=get_context("spawn"), initializer=_begin, initargs=(os.getpid(),))

    def kill(self) -> None:
        """End its process at once, whatever it is doing, and no other child of ours."""
        for process in list((self._processes or {}).values()):
            process.kill()
        self.shutdown(wait=False, cancel_futures=True)


def _begin(parent: int) -> None:
    """A helper never competes with answering; Ctrl-C is the parent's business."""
    end_with_parent(parent)
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def kill_helpers() -> None:
    """End every helper of this process at once, whatever it is doing."""
    for process in active_children():
        process.kill()
