"""`env.activate`: what is locked of a base's scripts, and what stops it; an engine that only says what it is told."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from base_layers import archive

from portside.engines import ImageToLoad, RunSpec
from portside.errors import EngineError, InputError, RecipeError
from portside.lock.file import check_lock
from portside.lock.models import Lock
from portside.plan.environment import unset, variables
from portside.project import Project
from portside.resolve.resolver import make_lock

SCRIPT = "/usr/local/Ascend/set_env.sh"
BASE: dict[str, bytes | str | None] = {SCRIPT[1:]: b"", "bin/bash": b"\x7fELF", "usr/local/Ascend/lib64/x": b""}


class Told:
    """An engine. runs_it: whether it runs the base. afters: the environment after each run, on top of the image's."""

    def __init__(self, *afters: Mapping[str, str | None], runs_it: bool = True) -> None:
        self.afters = list(afters)
        self.runs_it = runs_it
        self.images: list[str] = []
        self.environment: dict[str, str] = {}

    def runs(self, architecture: str) -> bool:
        return self.runs_it

    def describe(self) -> str:
        return "an engine of the test"

    def load(self, image: ImageToLoad, progress: Any) -> int:
        self.images += image.tags
        self.environment = dict(row.split("=", 1) for row in json.loads(image.config)["config"]["Env"])
        return 0

    def remove_image(self, name: str) -> None:
        self.images.remove(name)

    def run(self, spec: RunSpec, output: Any) -> int:
        assert spec.network == "none" and spec.image in self.images
        token = spec.command[-1].split("printf '%s\\0' ")[1].split(";")[0]
        before = self.environment | {"HOSTNAME": f"h{len(self.afters)}", "HOME": "/root", "PWD": "/"}
        after: dict[str, str | None] = {**before, "PWD": "/opt", "SHLVL": "2", **self.afters.pop(0)}
        rows = [b"".join(f"{k}={v}\0".encode() for k, v in env.items() if v is not None) for env in (before, after)]
        ends = [token.encode() + b"\0" + row + token.encode() + b"\0" for row in rows]
        output(b"welcome\n" + ends[0], b"")
        output(ends[1], b"")
        return 0


class Here:
    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "recipes").mkdir()
        (root / "portside.toml").write_text(f'home = "{root}/home"\nfolders = ["{root}"]\n')
        monkeypatch.delenv("PORTSIDE_HOME", raising=False)
        self.root = root
        self.base()

    def base(self, architecture: str = "amd64", **environment: str) -> None:
        data = archive(BASE, environment={"PATH": "/bin", "OLD": "1", **environment}, architecture=architecture)
        (self.root / "base.tar").write_bytes(data)

    def lock(self, engine: Told, old: Lock | None = None, architecture: str = "amd64", **env: Any) -> Lock:
        base = {"archive": {"file": "base.tar", "origin": "a test", "architecture": architecture}}
        value = {"description": "a test", "base": base, "accelerator": {"name": "ascend"}}
        value["env"] = {"activate": [SCRIPT], **env}
        (self.root / "recipes/m.yaml").write_text(json.dumps(value))
        project = Project(self.root)
        recipe = project.recipe("m")
        lock = make_lock(recipe, old, (), project.store, project.config, engine=lambda: engine)  # type: ignore[arg-type,return-value]
        check_lock(recipe, lock)
        return lock


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(tmp_path, monkeypatch)


def test_what_the_scripts_set_change_and_take_away(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    after = {
        "PATH": "/usr/local/Ascend/bin:/bin",
        "OLD": None,
        "LD_LIBRARY_PATH": "/usr/local/Ascend/lib64:/usr/local/Ascend/driver/lib64/common:/opt/no",
        "ODD": "a\nb",
        "BASH_FUNC_x%%": "() { :; }",
    }
    engine = Told({**after, "R": "1", "ONCE": "x"}, {**after, "R": "2"})
    lock = here.lock(engine, variables={"PATH_LIKE": "1"}, path=["/mine"])
    [packages] = lock.env.sets
    found = packages.activation
    assert found is not None and not engine.images
    assert found.set == {name: after[name] for name in ("LD_LIBRARY_PATH", "PATH")}
    assert found.unset == ("OLD",)
    assert found.absent == {
        "LD_LIBRARY_PATH": ("/usr/local/Ascend/driver/lib64/common", "/opt/no"),
        "PATH": ("/usr/local/Ascend/bin",),
    }
    said = capsys.readouterr().err
    assert "LD_LIBRARY_PATH: /usr/local/Ascend/driver/lib64/common: of the host's driver" in said
    assert "LD_LIBRARY_PATH: /opt/no: not in the base" in said
    assert "as each run gives another value: 'ONCE', 'R'" in said
    assert "with odd names, or with line breaks: 'BASH_FUNC_x%%', 'ODD'" in said
    stage = Project(here.root).recipe("m").stages[-1]
    assert variables(lock, stage) == {
        "PATH": "/mine:/usr/local/Ascend/bin:/bin",
        "LD_LIBRARY_PATH": after["LD_LIBRARY_PATH"],
        "PATH_LIKE": "1",
    }
    assert unset(lock, stage) == ["OLD"]
    # The same base and scripts: nothing is run again, whatever else changes.
    again = here.lock(Told(runs_it=False), old=lock, variables={"OLD": "mine"})
    assert again.env.sets[0].activation == found
    assert unset(again, Project(here.root).recipe("m").stages[-1]) == []
    here.base(NEW="1")
    with pytest.raises(EngineError):
        here.lock(Told(runs_it=False), old=None)


def test_an_engine_for_another_architecture_is_an_error_before_any_run(here: Here) -> None:
    here.base("arm64")
    with pytest.raises(EngineError, match="the base is for arm64, and the engine is not known to run") as caught:
        here.lock(Told(runs_it=False), architecture="arm64")
    assert caught.value.exit_code == 6
    assert callable(caught.value.remedy) and "qemu-user-static" in caught.value.remedy("m")
    # Without it the same recipe locks here.
    assert here.lock(Told(runs_it=False), architecture="arm64", activate=[]).base.architecture == "arm64"


def test_what_the_base_does_not_have(here: Here) -> None:
    with pytest.raises(RecipeError, match=r"/gone/set_env\.sh is not in the base"):
        here.lock(Told(), activate=["/gone/set_env.sh --abi=1"])


def test_scripts_that_end_the_shell(here: Here) -> None:
    engine = Told({}, {})
    engine.run = lambda spec, output: output(b"", b"no card here\n") or 3  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"ended the shell that they ran in, with 3\n  no card here"):
        here.lock(engine)
    assert not engine.images


STARTS: list[tuple[dict[str, list[str]], str, list[str]]] = [
    ({"Entrypoint": ["bash", "-c", f'source {SCRIPT} && exec "$@"']}, "", []),
    ({"Cmd": ["bash", "-lc", f"if true; then . '{SCRIPT}'; fi"]}, "", []),
    ({"Entrypoint": ["/start.sh"]}, f"#!/bin/bash\n# source /old.sh\nsource {SCRIPT}\nexec $@\n", ["/opt/other.sh"]),
    ({"Entrypoint": ["large", "-c", f". {SCRIPT}"]}, "", ["/opt/other.sh"]),
    ({"Entrypoint": ["start"]}, f"#!/bin/bash\n. {SCRIPT}; . $HOME/x\n", ["/opt/other.sh"]),
]


@pytest.mark.parametrize(("start", "text", "activate"), STARTS)
def test_what_an_entry_point_sources_is_proposed(
    here: Here,
    capsys: pytest.CaptureFixture[str],
    start: dict[str, list[str]],
    text: str,
    activate: list[str],
) -> None:
    files = {
        "start.sh": text.encode(),
        "usr/bin/start": text.encode(),
        "opt/other.sh": b"#!/bin/sh\n",
        "bin/large": b"#!" + b"x" * 300_000,
    }
    (here.root / "base.tar").write_bytes(archive({**BASE, **files}, start=start))
    lock = here.lock(Told({}, {}), activate=activate)
    said = capsys.readouterr().err
    assert f"entry point sources {SCRIPT}, and Portside's images have none" in said
    assert f"env.activate: [{SCRIPT}]" in said
    # Who has read it once is not told again, nor who does it already.
    here.lock(Told(), lock, activate=activate)
    assert "entry point" not in capsys.readouterr().err
    here.lock(Told({}, {}))
    assert "entry point" not in capsys.readouterr().err
