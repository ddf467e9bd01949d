"""Property tests: the same examples in every run, and nothing that depends on how busy the machine is.

git: nothing of the machine's or the person's settings, and nothing of a hook that runs the tests. No proxies,
and programs that the tests start get no settings of Python: PYTHONUNBUFFERED has hidden a defect once.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "portside", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("portside"), derandomize=False, print_blob=True)
settings.load_profile("portside")


@pytest.fixture(autouse=True, scope="session")
def nobodys_surroundings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("GIT_", "PYTHON")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


def pytest_collection_finish() -> None:
    """What there is now stays until the end: the collector need not look at thousands of tests again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """pytest's, without the link that it leaves beside each: every further folder would look at all of them."""
    tmp_path.with_name(tmp_path.name.rstrip("0123456789") + "current").unlink(missing_ok=True)
    return tmp_path
