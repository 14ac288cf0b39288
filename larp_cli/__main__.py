"""``python -m larp_cli``, and the ``larp`` script."""

import sys


def run() -> None:
    """Run the command line, and exit with its code."""
    from larp_cli.cli.main import main

    sys.exit(main())


if __name__ == "__main__":
    run()
