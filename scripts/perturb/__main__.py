"""`python scripts/perturb`: see --help and docs/reproducibility.md."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[index]) for index in (1, 2)]

from perturb.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
