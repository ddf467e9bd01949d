"""Each cause is recognised by what it leaves in two builds of a file, and told from the others."""

import gzip
import io
import os
import random
import struct
import tarfile
import zipfile
from dataclasses import replace

import pytest

from portside.common.tree import Entry, file_entry
from portside.diff.files import FileChange, FileSystem, compare
from portside.verify.cause import Cause, Window
from portside.verify.causes import causes, writing_step
from portside.verify.formats import content_causes
from portside.verify.texts import text_causes

WINDOW = Window(1_600_000_000, 1_800_000_000)
FIRST, SECOND = 1_763_927_406, 1_763_927_411


def kinds(found: list[Cause]) -> list[str]:
    return [cause.kind for cause in found]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Mon Nov 23 20:11:46 UTC 2026\n", "Mon Nov 23 20:11:47 UTC 2026\n"),
        ("built on 2026-11-23T20:11:46+00:00 by x\n", "built on 2026-11-24T09:00:00+00:00 by x\n"),
        ("Date: Mon, 23 Nov 2026 20:11:46 +0000", "Date: Tue, 24 Nov 2026 20:11:46 +0000"),
        (f"t={FIRST}\n", f"t={SECOND}\n"),
        (f"{FIRST}123456789\n", f"{SECOND}987654321\n"),
        ("20261123T201146Z", "20261124T201146Z"),
        ("23.11.2026", "24.11.2026"),
        ("line\n/* Nov 23 2026 20:11:46 */\n", "line\n/* Nov 23 2026 20:11:50 */\n"),
    ],
)
def test_times_in_text(left: str, right: str) -> None:
    assert kinds(text_causes(left, right, WINDOW)) == ["time"]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("30625\n", "4013\n"),
        ("id: 1b4e28ba-2fa1-11d2-883f-0016d3cca427\n", "id: 7d444840-9dc0-11d1-b245-5ffdce74fad2\n"),
        ("key = 9f86d081884c7d65\n", "key = 60303ae22b998861\n"),
        ("<object at 0x7f3a5c2b1d90>\n", "<object at 0x7fe18821cd90>\n"),
        ("qL8vJx2mZk+T/Yw1\n", "0bNfR7hUoE9cXsPd\n"),
        ("9999999999\n", "9123456789\n"),  # ten digits, but no time that a build can know
    ],
)
def test_random_values_in_text(left: str, right: str) -> None:
    assert kinds(text_causes(left, right, WINDOW)) == ["random"]


def test_another_order_of_lines_and_of_words() -> None:
    lines = [f"name{number}" for number in range(20)]
    shuffled = random.Random(1).sample(lines, len(lines))
    found = text_causes("\n".join(lines), "\n".join(shuffled), WINDOW)
    assert kinds(found) == ["order"] and "20 lines" in found[0].evidence
    assert kinds(text_causes('{"a": 1, "b": 2}\n', '{"b": 2, "a": 1}\n', WINDOW)) == ["order"]


def test_another_order_by_a_language_is_the_locale() -> None:
    assert kinds(text_causes("B\nC\na\nb\n", "a\nb\nB\nC\n", WINDOW)) == ["locale"]
    assert kinds(text_causes("x 1.50\n", "x 1,50\n", WINDOW)) == ["locale"]


def test_a_temporary_folder_is_a_path() -> None:
    found = text_causes("at /tmp/pip-build-x8f2kq/setup.py\n", "at /tmp/pip-build-9zz7sa/setup.py\n", WINDOW)
    assert kinds(found) == ["path"] and "pip-build-x8f2kq" in found[0].evidence


def test_a_host_name_is_the_host() -> None:
    assert kinds(text_causes("on buildkitsandbox\n", "on 3f2a91b7\n", WINDOW)) == ["host"]


def test_two_causes_in_one_text_are_both_named() -> None:
    left = "at 2026-11-23 20:11:46\nseed 30625\n"
    right = "at 2026-11-23 20:11:49\nseed 4013\n"
    assert kinds(text_causes(left, right, WINDOW)) == ["time", "random"]


def test_what_no_pattern_explains_is_unknown() -> None:
    assert kinds(text_causes("apples are red\n", "pears are green\n", WINDOW)) == ["unknown"]
    assert kinds(text_causes("one\n", "one\ntwo\nthree\n", WINDOW)) == ["unknown"]


def _content(left: bytes, right: bytes, path: str = "x") -> list[Cause]:
    return content_causes(left, right, path, WINDOW)


def test_gzip_holds_a_time_or_differing_content() -> None:
    a, b = gzip.compress(b"same", mtime=FIRST), gzip.compress(b"same", mtime=SECOND)
    assert kinds(_content(a, b)) == ["time"] and str(FIRST) in _content(a, b)[0].evidence
    c, d = (gzip.compress(b"\n".join(lines), mtime=0) for lines in ([b"x", b"y"], [b"y", b"x"]))
    found = _content(c, d)
    assert kinds(found) == ["order"] and found[0].evidence.startswith("in the gzip: ")


def _zip(members: list[tuple[str, bytes]], year: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), data)
    return out.getvalue()


def _tar(members: list[tuple[str, bytes]], mtime: int, mode: int = 0o644) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), mtime, mode
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_archives_differ_in_times_order_modes_and_members() -> None:
    two = [("a", b"1\n"), ("b", b"2\n")]
    assert kinds(_content(_zip(two, 2025), _zip(two, 2026))) == ["time"]
    assert kinds(_content(_tar(two, FIRST), _tar(two, SECOND))) == ["time"]
    assert kinds(_content(_tar(two, 0), _tar(two[::-1], 0))) == ["order"]
    assert kinds(_content(_tar(two, 0), _tar(two, 0, 0o600))) == ["umask"]
    found = _content(_tar([("n", b"30625\n")], 0), _tar([("n", b"4013\n")], 0))
    assert kinds(found) == ["random"] and found[0].evidence.startswith("in n in the tar: ")


def test_a_tar_with_a_negative_size_is_no_tar_to_look_into() -> None:
    info = tarfile.TarInfo("b")
    info.size = -512
    hostile = tarfile.TarInfo("a").tobuf() + info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    [cause] = _content(hostile, hostile.replace(b"a", b"c", 1))
    assert "tar" not in cause.evidence


def _pyc(flags: int, mtime: int, body: bytes) -> bytes:
    return struct.pack("<HHIII", 3495, 0x0A0D, flags, mtime, 100) + body


def test_byte_code_by_time_and_by_hash_seed() -> None:
    body = os.urandom(64)
    assert kinds(_content(_pyc(0, FIRST, body), _pyc(0, SECOND, body), "x.pyc")) == ["time"]
    assert kinds(_content(_pyc(3, 7, body), _pyc(3, 7, body[::-1]), "x.pyc")) == ["order"]


def test_binary_times_and_random_bytes() -> None:
    filler = bytes(range(256)) * 8
    a, b = (filler + struct.pack("<I", seconds) + filler for seconds in (FIRST, SECOND))
    found = _content(a, b)
    assert kinds(found) == ["time"] and f"{FIRST} and {SECOND}" in found[0].evidence
    noise = random.Random(5)
    c, d = (filler + noise.randbytes(32) + filler for _ in range(2))
    assert kinds(_content(c, d)) == ["random"]
    records = [bytes([n]) * 8 for n in range(200, 232)]
    e, f = (b"\0" + b"".join(order) for order in (records, noise.sample(records, len(records))))
    assert kinds(_content(e, f)) == ["order"]


def _change(left: Entry, right: Entry) -> FileChange:
    (change,) = compare(FileSystem({left.path: left}), FileSystem({right.path: right}), times=True)
    return change


def test_attributes_alone() -> None:
    plain = file_entry("srv/x", b"same")
    cases = {"mode": (0o600, "umask"), "uid": (1000, "owner"), "gid": (7, "owner"), "mtime": (5, "time")}
    for name, (value, kind) in cases.items():
        other = replace(plain, **{name: value})  # type: ignore[arg-type]
        assert kinds(causes(_change(plain, other), "", WINDOW)) == [kind], name


def test_links() -> None:
    left, right = (Entry("l", "symlink", 0o777, link=f"/tmp/tmp{name}/x") for name in ("k2j9dq", "p0x7ya"))
    assert kinds(causes(_change(left, right), "", WINDOW)) == ["path"]


def test_a_file_that_became_a_folder_is_unknown_with_both_kinds() -> None:
    found = causes(_change(file_entry("x", b""), Entry("x", "dir", 0o755)), "", WINDOW)
    assert kinds(found) == ["unknown"] and "file and dir" in found[0].evidence


def test_another_order_from_parallel_jobs() -> None:
    change = _change(file_entry("log", b"a\nb\nc\nd\n"), file_entry("log", b"b\na\nd\nc\n"))
    assert kinds(causes(change, "RUN make > log\n", WINDOW)) == ["order"]
    found = causes(change, "RUN make -j 4 > log\n", WINDOW)
    assert kinds(found) == ["parallelism"] and "-j 4" in found[0].evidence


def test_the_step_that_names_the_file() -> None:
    text = "ARG X=1\nWORKDIR /workspace\nRUN date > stamp\nRUN echo a > other\nRUN cat other > third\n"
    assert writing_step("workspace/x/stamp", text) == "RUN date > stamp"
    assert writing_step("workspace/x/other", text) is None  # two steps name it
    assert writing_step("workspace/x/nothing", text) is None
