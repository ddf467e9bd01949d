"""The recipes are started on the same fake hosts as the runtime, and locked from the same stand-ins as other inputs."""

import sys
from pathlib import Path

UNIT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(UNIT / "runtime"))
sys.path += [str(UNIT / folder) for folder in ("inputs", "first_sight", "core")]
