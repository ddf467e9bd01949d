import string
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portside.errors import InputError, RecipeError
from portside.inputs.debian.control import (
    check_debs,
    check_place,
    deb_date,
    deb_of,
    own_fields,
    stanzas,
    write_stanza,
)
from portside.lock.packages import Deb

FIELDS = {
    "Package": "a-b",
    "Version": "1:2.0~rc1-3+b1",
    "Architecture": "amd64",
    "Filename": "pool/main/a/a-b/a-b_2.0~rc1-3+b1_amd64.deb",
    "Size": "12",
    "SHA256": "0" * 64,
}

# Letters by name: hypothesis needs seconds to find all of Unicode's.
LETTERS = string.ascii_letters
names = st.builds(str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + string.digits + "-", max_size=10))
lines = st.text(LETTERS + string.digits + string.punctuation + "äß€é中\U0001f600\u0301", min_size=1, max_size=20)
values = st.lists(lines, min_size=1, max_size=3).map("\n ".join)


@given(st.lists(st.dictionaries(names, values, min_size=1), max_size=3))
def test_stanzas_read_what_write_stanza_wrote(written: list[dict[str, str]]) -> None:
    assert list(stanzas("".join(write_stanza(stanza) for stanza in written))) == written


def test_stanzas_skip_comments_and_keep_continuation_lines() -> None:
    text = "# first\nA: 1\n# between\n two\n\n\nB:\n x\n  y\nno field\n"
    assert list(stanzas(text)) == [{"A": "1\n two"}, {"B": "\n x\n  y"}]


def test_own_fields_drops_what_an_index_adds() -> None:
    assert own_fields(FIELDS | {"MD5sum": "x"}, "version") == {"Package": "a-b", "Architecture": "amd64"}


def test_deb_of_takes_the_fields_of_the_index() -> None:
    deb = deb_of(FIELDS)
    assert (deb.name, deb.version, deb.size, deb.path) == ("a-b", "1:2.0~rc1-3+b1", 12, FIELDS["Filename"])


@pytest.mark.parametrize(
    "field, value",
    [
        ("Filename", "/etc/a.deb"),
        ("Filename", "pool/../../a.deb"),
        ("Filename", "pool//a.deb"),
        ("Filename", "pool/a.deb\nx"),
        ("Filename", "pool/$(id).deb"),
        ("Filename", "pool/a.tar"),
        ("Package", "A"),
        ("Package", "a b"),
        ("Version", "1 2"),
        ("Version", "1/2"),
        ("Architecture", "amd 64"),
        ("Size", "-1"),
        ("Size", "many"),
        ("SHA256", "0"),
    ],
)
def test_deb_of_refuses_what_debian_does_not_allow(field: str, value: str) -> None:
    with pytest.raises(InputError):
        deb_of(FIELDS | {field: value})


def test_deb_of_names_a_missing_field() -> None:
    with pytest.raises(InputError, match="SHA256"):
        deb_of({name: value for name, value in FIELDS.items() if name != "SHA256"})


def deb(name: str, version: str = "1") -> Deb:
    return Deb(name=name, version=version, architecture="all", path=f"pool/{name}.deb", size=1, sha256="0" * 64)


def test_check_debs_sorts_and_refuses_a_name_twice() -> None:
    assert [d.name for d in check_debs([deb("bb"), deb("aa")])] == ["aa", "bb"]
    with pytest.raises(InputError, match="aa is there twice: 1 and 2"):
        check_debs([deb("aa"), deb("bb"), deb("aa", "2")])


@pytest.mark.parametrize("suite, architecture", [("Tiny", "amd64"), ("tiny main\ndeb x", "amd64"), ("tiny", "../x")])
def test_check_place_refuses_what_is_no_word(suite: str, architecture: str) -> None:
    with pytest.raises(RecipeError):
        check_place(suite, architecture)


def ar(name: bytes, date: bytes) -> bytes:
    header = struct.pack(
        "16s12s6s6s8s10s2s", *(v.ljust(16) for v in (name, date)), b"0 ", b"0 ", b"100644", b"4", b"`\n"
    )
    return b"!<arch>\n" + header + b"2.0\n"


def test_deb_date_is_the_time_of_the_first_member(tmp_path: Path) -> None:
    path = tmp_path / "a.deb"
    path.write_bytes(ar(b"debian-binary", b"1675209600"))
    assert deb_date(path) == 1675209600


@pytest.mark.parametrize("data", [b"", b"!<arch>\n", ar(b"control.tar", b"1"), ar(b"debian-binary", b"x"), b"x" * 80])
def test_deb_date_refuses_other_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.deb"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.deb is not a Debian package"):
        deb_date(path)
