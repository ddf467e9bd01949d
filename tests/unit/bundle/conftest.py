"""The tiny project of the engine tests needs no engine until something is built."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "engine"))
