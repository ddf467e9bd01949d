"""Where files of Python packages are looked for: folders, mirrors, and what pip is configured with."""

import os
import sys
from pathlib import Path

import pytest
from tiny_wheels import artefact, digest, wheel

from portside.common.url import SecretUrl
from portside.config import Config, Mirrors
from portside.errors import InputError, RecipeError
from portside.inputs import python
from portside.lock.packages import Artefact
from portside.net import pip_settings
from portside.net.pip_settings import PipSettings, read_pip_settings

pytestmark = pytest.mark.usefixtures("only_these_links")


INDEX = """<!DOCTYPE html><html><body>
<a href="../../files/one-1.0-py3-none-any.whl#sha256={sha}">one-1.0-py3-none-any.whl</a>
<a href="../../files/one-0.9-py3-none-any.whl" data-yanked="broken">one-0.9-py3-none-any.whl</a>
<a href="../../files/other-1.0.tar.gz">other</a></body></html>"""


def test_locations_are_folders_then_mirrors_then_what_pip_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wheel(tmp_path / "links", "one", "1.0")
    wanted = artefact(path)
    wheel(tmp_path / "folder", "one", "1.0")
    page = tmp_path / "mirror" / "simple" / "one" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(INDEX.format(sha=wanted.sha256))
    lying = tmp_path / "lying" / "simple" / "one" / "index.html"
    lying.parent.mkdir(parents=True)
    lying.write_text(INDEX.format(sha="0" * 64))
    mirrors = Mirrors(pypi=((tmp_path / "lying" / "simple").as_uri(), str(tmp_path / "mirror" / "simple")))
    config = Config(home=tmp_path / "home", folders=(tmp_path / "folder", tmp_path / "empty"), mirrors=mirrors)
    assert python.locations(wanted, config) == [
        str(tmp_path / "folder" / path.name),
        (tmp_path / "mirror" / "files" / path.name).as_uri(),
        str(path),
        (tmp_path / "lying" / "files" / path.name).as_uri(),
    ]
    assert python.locations(wanted.model_copy(update={"name": "absent", "file": "absent-1.whl"}), config) == []


def test_a_yanked_file_is_taken_only_by_its_exact_version(tmp_path: Path) -> None:
    page = tmp_path / "simple" / "one" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(INDEX.format(sha="0" * 64))
    path = wheel(tmp_path / "files", "one", "0.9")
    config = Config(home=tmp_path / "home", mirrors=Mirrors(pypi=(str(tmp_path / "simple"),)))
    assert python.resolve_wheel_exact("one==0.9", config).sha256 == digest(path)
    with pytest.raises(InputError, match="no wheel"):
        python.resolve_wheel_exact("one<1", config)


def test_a_place_that_could_not_be_asked_is_named(tmp_path: Path) -> None:
    config = Config(home=tmp_path / "home", mirrors=Mirrors(pypi=("http://anna:geheim@127.0.0.1:1/simple",)))
    wanted = Artefact(name="one", version="1", file="one-1-py3-none-any.whl", size=1, sha256="0" * 64)
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1/simple/one/") as caught:
        python.locations(wanted, config)
    assert "geheim" not in str(caught.value)


def write_pip_conf(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_pips_configuration_as_pip_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.setattr(pip_settings, "MACHINE_FILE", tmp_path / "none")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "machine"))
    write_pip_conf(
        tmp_path / "machine" / "pip" / "pip.conf",
        "[global]\nindex-url = http://machine\ntrusted-host = a b\n[install]\nextra_index_url = http://x\n",
    )
    write_pip_conf(
        tmp_path / "config" / "pip" / "pip.conf",
        "[global]\nindex-url = http://user\nextra-index-url = http://ignored\n"
        "find-links =\n  /one\n  /two\n[list]\ncert = /no\n",
    )
    assert read_pip_settings().index == SecretUrl("http://user")
    assert read_pip_settings().extra_indexes == (SecretUrl("http://x"),)
    assert read_pip_settings().find_links == (SecretUrl("/one"), SecretUrl("/two"))
    monkeypatch.setenv("SSL_CERT_FILE", "/environment.pem")
    own = tmp_path / "own.conf"
    own.write_text("[global]\nno-index = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(own))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://y http://z")
    settings = read_pip_settings()
    assert settings.index == SecretUrl("http://machine")
    assert settings.extra_indexes == (SecretUrl("http://y"), SecretUrl("http://z"))
    assert settings.no_index
    assert settings.trusted_hosts == ("a", "b")
    assert settings.cert == "/environment.pem"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert read_pip_settings() == PipSettings(extra_indexes=settings.extra_indexes, cert="/environment.pem")


def test_a_pip_conf_that_pip_could_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.conf"
    broken.write_text("index-url = x\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(broken))
    with pytest.raises(RecipeError, match=r"broken\.conf"):
        read_pip_settings()


def test_a_pip_conf_with_a_mistake_shows_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.conf"
    broken.write_text("index-url = https://u:S3CR3T@h/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(broken))
    with pytest.raises(RecipeError, match=r"broken\.conf") as caught:
        read_pip_settings()
    assert "S3CR3T" not in str(caught.value)
