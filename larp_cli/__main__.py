"""``python -m larp_cli``, and the ``larp`` script."""

import os
import sys


def run() -> None:
    """Run the command line, and exit with its code."""
    # Looking for plugins of pydantic reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from larp_cli.cli.main import main

    sys.exit(main())


if __name__ == "__main__":
    run()
