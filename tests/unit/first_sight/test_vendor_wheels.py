"""Wheels of vendors: by URL, and with names that are none of a wheel."""

import io
import zipfile
from pathlib import Path

import pytest
from first_sight_checkout import Here, Server, sha
from hypothesis import given
from hypothesis import strategies as st

from portside.common.canonical import canonical_json
from portside.errors import InputError, MissingInputError
from portside.inputs.python import vendor_wheel
from portside.lock.packages import LockedManualWheel
from portside.recipe.python_packages import ManualWheel
from portside.trees.parts import env_context

ODD = "flash_attn-2.1.1_mlu-cp310-cp310-linux_x86_64.whl"
METADATA = "Metadata-Version: 2.1\nName: Flash.Attn\nVersion: 2.1.1+mlu\n\nVersion: 9\n"
WHEEL = "Wheel-Version: 1.0\nTag: cp310-cp310-linux_x86_64\n"
NAMED = "flash_attn-2.1.1+mlu-cp310-cp310-linux_x86_64.whl"


def wheel(metadata: str | bytes = METADATA, tags: str | bytes = WHEEL, folder: str = "flash_attn-2.1.1_mlu") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{folder}.dist-info/METADATA"), metadata)
        archive.writestr(zipfile.ZipInfo(f"{folder}.dist-info/WHEEL"), tags)
    return out.getvalue()


def asked(here: Here, **manual: object) -> None:
    here.recipe(env={"python": {"version": "3.10", "platform": "x86_64-manylinux_2_28", "manual": [manual]}})


def locked(here: Here) -> LockedManualWheel:
    [packages] = here.read().env.sets
    assert packages.python is not None
    return packages.python.manual[0]


def test_an_odd_name_is_locked_and_installed_as_what_its_metadata_says(here: Here) -> None:
    asked(here, file=ODD, origin="a vendor")
    here.put(ODD, wheel())
    lock = here.lock()
    found = locked(here)
    assert (found.name, found.version, found.file, found.named) == ("flash-attn", "2.1.1+mlu", ODD, NAMED)
    context = {entry.path for entry in env_context(lock.env.sets[0], here.project.store)}
    assert f"wheels/{NAMED}" in context and f"wheels/{ODD}" not in context
    assert here.lock() == lock


def test_a_name_that_says_another_version_than_the_metadata_gives_way(here: Here) -> None:
    file = "flash_attn-2.1.1-cp310-cp310-linux_x86_64.whl"
    asked(here, file=file, origin="a vendor")
    here.put(file, wheel())
    lock = here.lock()
    assert (locked(here).version, locked(here).file, locked(here).named) == ("2.1.1+mlu", file, NAMED)
    assert here.lock() == lock


def test_a_name_that_says_the_same_stays(here: Here) -> None:
    file = "Flash.Attn-2.1.1+mlu-1-cp310-cp310-manylinux1_x86_64.whl"
    asked(here, file=file, origin="a vendor")
    here.put(file, wheel())
    here.lock()
    assert (locked(here).name, locked(here).version, locked(here).named) == ("flash-attn", "2.1.1+mlu", None)


def test_an_odd_name_comes_by_its_url(here: Here, server: Server) -> None:
    asked(here, file=ODD, url=server.put("/w", wheel()))
    here.lock()
    assert (locked(here).sha256, locked(here).named) == (sha(wheel()), NAMED)


def test_an_odd_name_is_looked_for_anew_by_the_name_that_its_metadata_says(here: Here, server: Server) -> None:
    asked(here, file=ODD, url=server.put("/w", wheel()))
    here.lock()
    server.put("/w", newer := wheel(METADATA.replace("2.1.1", "2.2")))
    here.lock()
    assert locked(here).sha256 == sha(wheel())
    here.task("lock", update=["flash-attn"])
    assert (locked(here).sha256, locked(here).version) == (sha(newer), "2.2+mlu")


def test_a_url_completes_what_the_name_says(here: Here, server: Server) -> None:
    data = wheel("Name: cndsp\nVersion: 0.8.0\n")
    asked(here, file="cndsp-0.8.0-py3-none-any.whl", url=server.put("/w", data))
    here.lock()
    assert (locked(here).version, locked(here).sha256, server.asked) == ("0.8.0", None, [])
    here.task("fetch")
    assert (locked(here).sha256, locked(here).named, server.asked) == (sha(data), None, ["/w"])


def test_an_odd_name_that_nobody_has_brought(here: Here) -> None:
    asked(here, file=ODD, origin="a vendor")
    with pytest.raises(MissingInputError, match="flash_attn"):
        here.lock()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no zip", "flash_attn"),
        (wheel(METADATA.replace("+mlu", "_mlu x")), "no version as PEP 440 has it, but '2.1.1_mlu x'"),
        (wheel("Name: ../x\nVersion: 1\n"), "no name"),
        (wheel("Version: 1\n"), "no name"),
        (wheel(tags="Wheel-Version: 1.0\n"), "no tags"),
        (wheel(tags="Tag: py3-none-../any\n"), "no tags"),
        (wheel(f"Name: {'x' * 300}\nVersion: 1\n"), "make no file name"),
    ],
)
def test_what_says_nothing_that_pip_takes(here: Here, data: bytes, said: str) -> None:
    asked(here, file=ODD, origin="a vendor")
    here.put(ODD, data)
    with pytest.raises(InputError) as caught:
        here.lock()
    assert said in caught.value.problem and ODD in caught.value.problem


@given(metadata=st.binary(max_size=200), tags=st.binary(max_size=100))
def test_odd_bytes_are_a_wheel_or_an_error(
    metadata: bytes, tags: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "odd.whl"
    path.write_bytes(wheel(b"Name: x\nVersion: 1\n" + metadata, b"Tag: py3-none-any\n" + tags))
    try:
        assert (vendor_wheel(path, "odd.whl").named or "").endswith("-any.whl")
    except InputError as error:
        assert "odd.whl" in error.problem


def test_several_tags_make_one_name(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(wheel(tags="Tag: py3-none-any\nTag: py2-none-any\n"))
    assert vendor_wheel(path, "x.whl").named == "flash_attn-2.1.1+mlu-py2.py3-none-any.whl"


def test_what_was_written_before_is_written_the_same() -> None:
    told = ManualWheel(file="x-1-py3-none-any.whl", origin="a").model_dump(mode="json")
    assert list(told) == ["file", "origin", "sha256", "size"]
    old = {"file": "x-1-py3-none-any.whl", "size": None, "sha256": None, "name": "x", "version": "1"}
    assert canonical_json(LockedManualWheel.model_validate(old).model_dump(mode="json")) == canonical_json(old)
