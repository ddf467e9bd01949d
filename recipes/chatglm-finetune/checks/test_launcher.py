"""The tutorial's 3.3.3, 4: the launcher keeps the variable that names the cards."""

from typing import Any


def test_the_launcher_keeps_visible_devices(host: Any, expected: dict[str, Any]) -> None:
    package = host.check_output("python3 -c 'import importlib.util as u; print(u.find_spec(\"deepspeed\").origin)'")
    path = package.rpartition("/")[0] + "/launcher/runner.py"
    lines = [line.strip() for line in host.file(path).content_string.splitlines()]
    assert 'pass  # del os.environ["MLU_VISIBLE_DEVICES"]' in lines
    assert 'del os.environ["MLU_VISIBLE_DEVICES"]' not in lines
