"""The benchmarks are a program beside the package: scripts/bench."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
