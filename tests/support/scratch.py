"""What the databases of tests are copied from, and where their servers keep their data.

That is in memory where there is room for it, for no test asks what a crash of the machine leaves.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backend.processes.embedded import temporary_folder

EMPTY: Final = "template_yinling"  # the schema alone
STORY: Final = "template_story"  # with the invented city
GUARDED: Final = "template_city"  # the same, and whoever writes without what they must is told
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  a folder of its own is made below it, as below the common temporary folder
_ROOM_BYTES: Final = 3 << 30  # a container is often given 64 MB


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """A temporary folder that is gone with its test."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES and _available() >= _ROOM_BYTES
    with temporary_folder(prefix, parent=_MEMORY if roomy else None) as folder:
        yield folder


def _available() -> int:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) << 10
