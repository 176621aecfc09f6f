"""Days and plans as files: the planner's own format and the public benchmarks'. Bad files are refused in one clear line."""

from collections.abc import Callable
from pathlib import Path

from dispatch.formats.city import read_city
from dispatch.formats.hhcrsp import read_hhcrsp
from dispatch.formats.instance import Instance
from dispatch.formats.native import read_native, typed
from dispatch.formats.plans import as_judged, read_plan, write_plan
from dispatch.formats.reading import InstanceError, Reading, printable
from dispatch.formats.solomon import read_solomon
from dispatch.formats.vrplib import read_vrplib

FORMATS: dict[str, Callable[[Path], Instance]] = {
    "yinling": read_native,
    "hhcrsp": read_hhcrsp,
    "solomon": read_solomon,
    "vrplib": read_vrplib,
    "city": read_city,
}

__all__ = [
    "FORMATS", "Instance", "InstanceError", "Reading", "as_judged", "printable", "read_city", "read_hhcrsp", "read_instance", "read_native",
    "read_plan", "read_solomon", "read_vrplib", "typed", "write_plan",
]  # fmt: skip


def read_instance(path: Path, form: str | None = None) -> Instance:
    """The day in a file; without a format, what its name and its keys suggest. Raises InstanceError."""
    return FORMATS[form or _looks_like(path)](path)


def _looks_like(path: Path) -> str:
    """The format, from what the file holds where that is plain, else from how it begins."""
    reading = Reading(path)
    start = reading.content().removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if path.is_fifo():
        raise reading.refuse("file", "a pipe", "is read once; without --format it would be read twice")
    if start not in {b"{", b"["} and not path.name.lower().removesuffix(".gz").endswith(".json"):
        return _looks_like_text(reading)
    keys = reading.json().keys()
    return "hhcrsp" if "patients" in keys else "city" if "bases" in keys else "yinling"


def _looks_like_text(reading: Reading) -> str:
    lines = [line.upper() for _, line in reading.lines()]
    if any(line.startswith("DIMENSION") for line in lines) or any(line.endswith("_SECTION") for line in lines):
        return "vrplib"
    if "VEHICLE" in lines or "CUSTOMER" in lines:
        return "solomon"
    raise reading.refuse("file", lines[0], f"begins no format that is read: {', '.join(FORMATS)}")
