"""`python -m backend` is the `yinling` command."""

import sys
import warnings

from backend.cli import main

if __name__ == "__main__":
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")  # the embedded server then finds a folder itself
    sys.exit(main())
