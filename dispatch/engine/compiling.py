"""One place for how kernels are compiled. Where they are kept between starts is `dispatch.kernels`."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, TypeVar, cast

import numba
import numpy as np
from numba.core import config
from numba.core.registry import CPUDispatcher

from dispatch.kernels import keep

# no reference counts: kernels make no arrays, so nothing in them is freed; no entry for C callers: there are none
# numba takes what is not said here from the kernel whose compilation asks for another one: the order would decide the speed
_OPTIONS: Final = {"nogil": True, "_nrt": False, "no_cfunc_wrapper": True, "forceinline": False}
# unpacking a whole Day for Python takes as long to compile as a kernel, so only what Python calls has it
_INNER: Final = {"no_cpython_wrapper": True}
_INLINED: Final = {"forceinline": True}
_numba: Any = numba  # its types leave out some of these options
_config: Any = config
_dispatcher: Any = CPUDispatcher

F = TypeVar("F", bound=Callable[..., Any])


def record(fields: Sequence[tuple[str, type[np.generic]]]) -> np.dtype[Any]:
    """The layout of a record whose fields kernels read by name, also where NUMBA_DISABLE_JIT runs them as Python."""
    layout = np.dtype(list(fields), align=True)
    return np.dtype((np.record, layout)) if _config.DISABLE_JIT else layout


def compiled(function: F) -> F:
    """A kernel that only kernels call: machine code from its first use on."""
    return _inner(function, {**_OPTIONS, **_INNER})


def entry(function: F) -> F:
    """A kernel that Python calls too."""
    return _kernel(function, _OPTIONS)


def inlined(function: F) -> F:
    """A kernel inlined into its callers: passing Day and State would cost more than most of these do."""
    return _inner(function, {**_OPTIONS, **_INNER, **_INLINED})


def inlined_entry(function: F) -> F:
    """A kernel inlined into its callers, which Python calls too."""
    return _kernel(function, {**_OPTIONS, **_INLINED})


class _Inner(_dispatcher):
    """Refuses calls from Python, which would jump to an entry that is not there."""

    def __call__(self, *_: object) -> NoReturn:
        raise TypeError(f"{self.__name__} is called by kernels only; make it an entry to call it from Python")


def _kernel(function: F, options: dict[str, Any]) -> F:
    kernel = _numba.njit(**options)(function)
    if kernel is not function:  # under NUMBA_DISABLE_JIT nothing is compiled, and there is nothing to keep
        keep(kernel, options)
    return cast(F, kernel)


def _inner(function: F, options: dict[str, Any]) -> F:
    kernel = _kernel(function, options)
    if kernel is not function:
        kernel.__class__ = _Inner
    return kernel
