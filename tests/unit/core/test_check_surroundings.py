"""`check` starts a pytest, which must not listen to settings that are meant for a person's own."""

from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from portside.check import layer_checks

SETTINGS = {"PYTEST_ADDOPTS": "--collect-only", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONIOENCODING": "latin-1"}
"""Each shows even if the others are obeyed as well: by the exit code 0, by the exit code 4, by the text."""


def test_a_check_that_fails_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conftest_layers.py").write_text("def pytest_addoption(parser): parser.addoption('--expected')\n")
    (tmp_path / "test_env.py").write_text("def test_it(): assert not 'naïve'\n", encoding="utf-8")
    (tmp_path / "test_image.py").write_text("def test_it(): pass\n")
    recipe = SimpleNamespace(path=tmp_path / "recipes" / "r.yaml", model=SimpleNamespace(checks_of=lambda layer: []))
    monkeypatch.setattr(layer_checks, "TESTS", tmp_path)
    monkeypatch.setattr(layer_checks, "_container", lambda *arguments: nullcontext("nobody"))
    monkeypatch.setattr(layer_checks, "expectations", lambda *arguments: {})
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)

    plan: Any = SimpleNamespace(recipe=recipe)
    store: Any = SimpleNamespace(workspace=contextmanager(lambda: iter([tmp_path])))
    engine: Any = SimpleNamespace(name="docker")
    code, output = layer_checks._check_layer(plan, store, engine, "env", layer_checks._Running(), False)
    assert code == 1, output
    assert "assert not 'naïve'" in output and "1 failed, 1 passed" in output
