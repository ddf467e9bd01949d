"""Property tests: the same examples in every run, and nothing that depends on how busy the machine is.

git: nothing of the machine's or the person's settings, and nothing of a hook that runs the tests. No proxies,
and programs that the tests start get no settings of Python: PYTHONUNBUFFERED has hidden a defect once.
"""

import os
from collections.abc import Iterator

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
