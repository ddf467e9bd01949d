"""What every start would load and no task needs."""

import os
import sys
from types import ModuleType
from typing import Any

MOCK = "unittest.mock"


def load_invoke() -> None:
    """Import invoke without unittest.mock, which brings asyncio and ssl along and takes longer than the rest of invoke.

    invoke's MockContext, for other people's tests, gets its Mock when it makes one.
    """
    if MOCK in sys.modules or "invoke" in sys.modules:
        return
    stand_in = ModuleType(MOCK)
    vars(stand_in)["Mock"] = _mock
    sys.modules[MOCK] = stand_in
    try:
        import invoke  # noqa: F401
    finally:
        del sys.modules[MOCK]


def _mock(*args: Any, **kwargs: Any) -> Any:
    from unittest.mock import Mock

    return Mock(*args, **kwargs)


def without_plugins() -> None:
    """Let pydantic not look through all installed packages for plugins: none has a say in what a recipe means."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
