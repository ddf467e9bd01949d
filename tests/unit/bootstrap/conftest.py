import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bootstrap_machine import Machine, new_machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    # not tmp_path: the path of a socket may have 107 characters at most
    with tempfile.TemporaryDirectory(prefix="portside-") as name:
        machine = new_machine(Path(name).resolve())
        yield machine
        machine.stop_daemon()
