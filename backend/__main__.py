"""`python -m backend` is the `yinling` command."""

import io
import sys

from backend.cli import main

if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show 银龄 shows question marks
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before a command has taken the signal over, there is nothing to end
        sys.exit(130)
