"""``python -m pytest_pareto``: the command line, where its script is not on the path."""

import sys

from pytest_pareto.cli import main

if __name__ == "__main__":
    sys.exit(main())
