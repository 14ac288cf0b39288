"""``python -m larp_cli``, and the ``larp`` script."""

import os
import sys


def run() -> None:
    """Run the command line, and exit with its code."""
    # Looking for plugins of pydantic reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from larp_cli.cli.main import main

        sys.exit(main())
    except KeyboardInterrupt:  # before or after any command ran
        sys.exit(130)


if __name__ == "__main__":
    run()
