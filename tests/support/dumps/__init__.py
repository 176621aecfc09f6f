"""A city as an older version left it, kept as a dump."""

import lzma
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from backend.processes.embedded import Urls
from backend.processes.places import account, binaries

DUMP = Path(__file__).parent / "before_0012.sql.xz"


def restore(urls: Urls) -> None:
    """Load the dump as its owner, as an operator would."""
    folder = Path(tempfile.mkdtemp(prefix="yinling-dump-"))
    file = folder / "dump.sql"
    file.write_bytes(lzma.decompress(DUMP.read_bytes()))
    done = subprocess.run(
        [binaries(account()) / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, urls.owner],
        capture_output=True, text=True, check=False, env={"PATH": os.environ.get("PATH", "")},
    )  # fmt: skip
    shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
