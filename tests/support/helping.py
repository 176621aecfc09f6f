"""Work for a helper process that takes long, and says who does it."""

import os
import time
from pathlib import Path


def work() -> None:
    """Compile, as it were."""
    Path(os.environ["YINLING_HELPER_MARK"]).write_text(str(os.getpid()))
    time.sleep(600)
