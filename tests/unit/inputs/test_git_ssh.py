"""A source behind ssh: the person's own way to call it counts, and nobody is asked."""

import os
from pathlib import Path

import pytest
from upstream import Upstream

from portside.config import Config
from portside.inputs import git
from portside.store import Store

SSH = """#!/bin/sh
# Stands for `ssh -i deploy_key`: runs the last word here, whatever the host is.
for last; do :; done
touch "{mark}"
eval "exec $last"
"""


@pytest.mark.parametrize("how", ["core.sshCommand", "GIT_SSH", "GIT_SSH_COMMAND", "a path from where the person is"])
def test_the_persons_own_ssh_is_used(
    upstream: Upstream, store: Store, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """As with a deploy key, which one of these names."""
    commit = upstream.commit(a=b"1")
    program, mark = tmp_path / "own-ssh", tmp_path / "mark"
    program.write_text(SSH.format(mark=mark))
    program.chmod(0o755)
    if how == "core.sshCommand":
        (tmp_path / "gitconfig").write_text(f"[core]\n\tsshCommand = {program} -i key\n")
    elif how.startswith("GIT_SSH"):
        monkeypatch.setenv(how, str(program))
    else:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GIT_SSH_COMMAND", "./own-ssh -i ./key")
    url = f"git@example.invalid:{upstream.path}"
    source = git.resolve(url, "refs/heads/main", config, store)
    git.fetch(source, Store(tmp_path / "other"), config, offline=False)
    assert source.commit == commit and mark.exists()


def test_ssh_asks_nobody_where_a_person_says_nothing_of_it(
    upstream: Upstream, store: Store, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = upstream.commit(a=b"1")
    (tmp_path / "bin").mkdir()
    program, mark = tmp_path / "bin/ssh", tmp_path / "mark"
    program.write_text(SSH.format(mark=mark).replace("touch", 'echo "$@" >'))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert git.resolve(f"git@example.invalid:{upstream.path}", "refs/heads/main", config, store).commit == commit
    assert "BatchMode=yes" in mark.read_text()
