"""Each reader of what comes from outside: what was found before, and some mutations of it."""

from pathlib import Path

import pytest
from fuzz_targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).with_name("corpus")
ODD = [b"", b"\xef\xbb\xbf", b"\xff\xfe{", b"\0", b"null", b"[]", b"{}", b'"\xed\xa0\x80"', b"true", b"-1", b"1e999"]
ODD += [b"[" * 20_000, b'{"a":' * 20_000, b"9" * 5000, b"- " * 5000, b"a: &a [*a]"]
ODD += [b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"PK\x05\x06", b"\x28\xb5\x2f\xfd"]


def seeds(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_was_found_and_what_is_odd(name: str) -> None:
    for data in (*seeds(name), *ODD):
        TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_mutations(name: str) -> None:
    known = [*seeds(name), b"{}"]

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(known), st.data())
    def attempt(seed: bytes, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(seed)))
        end = data.draw(st.integers(at, min(len(seed), at + 40)))
        TARGETS[name](seed[:at] + data.draw(st.one_of(st.sampled_from(ODD), st.binary(max_size=40))) + seed[end:])

    attempt()


def test_every_target_has_a_seed() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
