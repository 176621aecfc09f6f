"""How a kernel is compiled follows from what is written at it, never from who called it first."""

import importlib
import pkgutil

from numba.core.registry import CPUDispatcher

import dispatch.engine

FROM_THE_CALLER = {"nrt", "fastmath", "error_model", "forceinline"}
"""Options numba copies from the kernel whose compilation asks for another one, where that says nothing (CPUTargetOptions.finalize)."""


def test_no_kernel_takes_an_option_from_whichever_kernel_is_compiled_first() -> None:
    """Searches ran at half their speed where the search was compiled before quotes, or by its first use."""
    said: dict[str, set[str]] = {}
    for module in pkgutil.iter_modules(dispatch.engine.__path__):
        for kernel in vars(importlib.import_module(f"dispatch.engine.{module.name}")).values():
            if isinstance(kernel, CPUDispatcher):
                said[f"{kernel.py_func.__module__}.{kernel.py_func.__name__}"] = {
                    name.removeprefix("_") for name in kernel.targetoptions
                } & FROM_THE_CALLER
    assert len(said) > 90
    assert {name for name, options in said.items() if options != {"nrt", "forceinline"}} == set()
