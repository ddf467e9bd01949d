"""Which tests wait for each other when several processes run them (pytest-xdist).

The tests of a file stay in one process: they share what the file's fixtures make. Two groups of files use one engine
without sharing a layer in it, because one test must not take away an image just when another builds on what is in it:
those that stand on Debian's base or use the name of a committed recipe, and those that make a base of their own.
"""

from pathlib import PurePosixPath
from typing import Any

import pytest

ON_DEBIAN = {"test_bundle_offline.py", "test_chatglm_cpu.py", "test_minilm.py"}


def group(file: PurePosixPath) -> str:
    if file.parts[-3:-1] != ("tests", "engine"):
        return str(file)
    return "engine, on Debian" if file.name in ON_DEBIAN else "engine"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: what is short fills the gaps at the end."""
    order = {"engine, on Debian": 0, "engine": 1}
    items.sort(key=lambda item: order.get(group(PurePosixPath(item.path)), 2))


@pytest.hookimpl(optionalhook=True)  # pytest-xdist is not there where the checks of the layers run
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(PurePosixPath(nodeid.partition("::")[0]))

    return Groups(config, log)
