"""One place for how kernels are compiled. Where they are kept between starts is `dispatch.kernels`."""

from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar, cast

import numba
from numba.core.registry import CPUDispatcher

from dispatch.kernels import keep

# no reference counts: kernels make no arrays, so nothing in them is freed; no entry for C callers: there are none
# numba takes what is not said here from the kernel whose compilation asks for another one: the order would decide the speed
_OPTIONS: Final = {"nogil": True, "_nrt": False, "no_cfunc_wrapper": True, "forceinline": False}
# unpacking a whole Day for Python takes as long to compile as a kernel, so only what Python calls has it
_INNER: Final = {"no_cpython_wrapper": True}
_INLINED: Final = {"forceinline": True}
_numba: Any = numba  # its types leave out some of these options
_dispatcher: Any = CPUDispatcher

F = TypeVar("F", bound=Callable[..., Any])


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
    keep(kernel, options)
    return cast(F, kernel)


def _inner(function: F, options: dict[str, Any]) -> F:
    kernel = _kernel(function, options)
    kernel.__class__ = _Inner
    return kernel
