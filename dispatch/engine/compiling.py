"""One place for how kernels are compiled: kept on disk beside the source, so that only a first start has to wait."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_numba: Any = numba  # its types leave out its settings and two keywords
_HERE = Path(__file__).parent
_SOURCE = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(_HERE.glob("*.py")))).hexdigest()[:16]
# numba looks only at a kernel's own file; melted kernels of another file would stay as they were
_numba.config.CACHE_DIR = str(_HERE / "__pycache__" / f"kernels-{_SOURCE}")


def kept(kernel: Any) -> bool:
    """Whether a kernel was compiled before and is on disk."""
    return any(Path(_numba.config.CACHE_DIR).rglob(f"*.{kernel.py_func.__name__}-*.nbi"))


F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """A kernel: machine code from its first call on. Kernels make no arrays, so nothing in them is counted or freed."""
    return cast(F, _numba.njit(cache=True, nogil=True, _nrt=False)(function))


def inlined(function: F) -> F:
    """A small kernel melted into its callers: handing a whole day over costs more than what it does."""
    return cast(F, _numba.njit(cache=True, nogil=True, _nrt=False, forceinline=True)(function))
