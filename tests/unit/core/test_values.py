"""The types of what comes from outside: right values make one, nothing else does."""

import json
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from portside.common.values import (
    LARGEST,
    DiffID,
    FileName,
    GitUrl,
    ImageID,
    ImageName,
    Key,
    ObjectName,
    Place,
    RecipeName,
    Sha256,
    Size,
    Tag,
    Text,
    TreeName,
    Word,
    told,
)
from portside.errors import InputError, RegistryError

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        (Sha256, HEX),
        (DiffID, HEX),
        (ImageID, HEX),
        (Key, HEX),
        (FileName, "pk-1!1.0+local-1-py3-none-any.whl"),
        (FileName, "libc6_2.36-9%2bdeb12u4_amd64.deb"),
        (FileName, "a~b:c"),
        (Word, "1!2.0+mlu"),
        (Word, "1:2.36-9+deb12u4"),
        (RecipeName, "chatglm-ptuning-2"),
        (ObjectName, "0" * 40),
        (TreeName, "0" * 40),
        (Tag, "_1.0-x"),
        (ImageName, "registry.example:5000/a/b:c@d"),
        (Place, "https://index.example/a b/ü?x=1"),
        (Place, "file:///a/b"),
        (Place, "relative/é: path"),
        (GitUrl, "git@host.example:a/b.git"),
        (GitUrl, "file:///a/b"),
        (GitUrl, "/a/b"),
    ],
)
def test_right_values(kind: type[Text], good: str) -> None:
    value = kind(good)
    assert value == good and type(value) is kind
    assert kind(value) is value
    assert pickle.loads(pickle.dumps(value)) == good and json.loads(json.dumps({good: value})) == {good: good}
    assert type(pickle.loads(pickle.dumps(value))) is kind
    read = TypeAdapter(kind).validate_json(json.dumps(good))
    assert type(read) is kind and read == good
    assert TypeAdapter(kind).dump_json(value) == json.dumps(good, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        *((Sha256, bad) for bad in ("", HEX[1:], HEX + "0", HEX.upper(), HEX + "\n", "/etc/passwd", "\uff10" * 64)),
        *((FileName, bad) for bad in ("", ".", "..", "a/b", "/a", ".a", "-a", "a b", "a\0", "a\n", "é", "a" * 241)),
        *((Word, bad) for bad in ("", "a%b", "a b", "a\n", "$x")),
        *((RecipeName, bad) for bad in ("", "A", "a--b", "a-", "-a", "a_b", "a" * 241)),
        *((ObjectName, bad) for bad in ("main", "0" * 39, "0" * 41)),
        *((Tag, bad) for bad in ("", ".a", "a/b", "a:b", "a" * 129, "a\n")),
        *((ImageName, bad) for bad in ("", "../x", "a b", "a\n", "a" * 256)),
        *((Place, bad) for bad in ("", "ftp://x", "git+ssh://x", "https://", "a\nb", "http://a\x7f")),
        *((GitUrl, bad) for bad in ("", "ext::sh -c x", "--upload-pack=x", "relative", "https://a b", "ftp://x")),
        *((kind, bad) for kind in (Sha256, FileName, Place) for bad in (None, 5, True, b"a" * 64, ["a"], {})),
    ],
)
def test_wrong_values(kind: type[Text], bad: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        kind(bad)
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(bad, strict=True)


@given(st.text())
def test_no_file_name_leads_anywhere(text: str) -> None:
    try:
        name = FileName(text)
    except ValueError:
        return
    assert Path("/store") / name == Path(f"/store/{text}")
    assert (Path("/store") / name).parent == Path("/store") and name not in (".", "..")
    assert text.isascii() and text.isprintable() and " " not in text


@given(st.text(alphabet=st.sampled_from("0af9G/\n.-"), max_size=70))
def test_a_sha256_is_hex(text: str) -> None:
    assert (re.fullmatch(r"[0-9a-f]{64}", text) is not None) == _is(Sha256, text)


@given(st.one_of(st.integers(), st.booleans(), st.floats(), st.text(), st.none()))
def test_a_size_is_a_number_that_a_file_can_have(value: object) -> None:
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
    assert _is(Size, value) == right
    if right:
        assert type(TypeAdapter(Size).validate_python(value)) is Size
    else:
        with pytest.raises(ValidationError):
            TypeAdapter(Size).validate_python(value)


def _is(kind: type[Text] | type[Size], value: object) -> bool:
    try:
        return type(kind(value)) is kind
    except ValueError:
        return False


def test_digests() -> None:
    assert Sha256.of_digest(f"sha256:{HEX}") == HEX
    assert type(DiffID.of_digest(f"sha256:{HEX}")) is DiffID
    for bad in (HEX, f"sha512:{HEX}", f"sha256:{HEX[1:]}", f"sha256:../{HEX[3:]}", None, 5):
        with pytest.raises(ValueError, match="expected"):
            Sha256.of_digest(bad)


def test_people_are_told_what_was_expected_and_what_was_found() -> None:
    assert told(Size, 5, "its size") == 5
    with pytest.raises(InputError, match=r"^row 5: expected a sha256: 64 hex digits in lower case, found '\\x1b\[2J'$"):
        told(Sha256, "\x1b[2J", "row 5")
    with pytest.raises(RegistryError, match=r"found 'a{78}…\n") as caught:
        told(FileName, "a" * 10_000, "a name", RegistryError, "Do this.")
    assert caught.value.solution == "Do this."
