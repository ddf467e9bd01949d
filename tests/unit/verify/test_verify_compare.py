"""Two layer tars of one part, and the traces of a build in one."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from portside.common.tree import Entry, Tree, file_entry
from portside.layers.canonical import data_layer
from portside.layers.writer import write_layer
from portside.verify.cause import Window
from portside.verify.compare import differences
from portside.verify.report import as_json, as_lines
from portside.verify.traces import traces
from portside.verify.verdict import Evidence, PartVerdict, Verdict

EPOCH = 1_600_000_000
NOON = 1_763_899_200  # 2025-11-23 12:00:00 UTC
BUILDS = Window(NOON, NOON + 90)
WINDOW = Window(EPOCH, NOON + 90)


def layer(folder: Path, entries: Iterable[Entry]) -> Path:
    """A canonical layer tar, named by its diff ID."""
    new = folder / "new"
    with new.open("wb") as out:
        written = write_layer(data_layer(Tree(entries), EPOCH), out)
    return new.rename(folder / written.diff_id)


def test_every_difference_is_named_with_its_cause(tmp_path: Path) -> None:
    same = file_entry("srv/same", b"same")
    first = layer(
        tmp_path,
        [same, file_entry("srv/n", b"30625\n"), file_entry("srv/log-1764", b""), file_entry("srv/t", b"", mtime=5)],
    )
    second = layer(
        tmp_path,
        [same, file_entry("srv/n", b"4013\n"), file_entry("srv/log-2991", b""), file_entry("srv/t", b"", mtime=9)],
    )
    found = differences(first, second, "RUN echo > n\n", WINDOW)
    assert [(f.path, f.causes[0].kind, f.step) for f in found] == [
        ("srv/log-1764", "random", None),
        ("srv/log-2991", "random", None),
        ("srv/n", "random", "RUN echo > n"),
        ("srv/t", "time", None),
    ]
    assert all("name itself" in f.causes[0].evidence for f in found[:2])


def test_hard_links_in_another_order(tmp_path: Path) -> None:
    def linked(target: str, link: str) -> list[Entry]:
        file = file_entry(target, b"x")
        return [file, Entry(link, "hardlink", 0o644, size=1, sha256=file.sha256, link=target), file_entry("c", b"x")]

    first = layer(tmp_path, linked("a", "b"))
    second = layer(tmp_path, [*linked("a", "b")[:1], file_entry("b", b"x"), file_entry("c", b"x")])
    found = differences(first, second, "", WINDOW)
    assert [(f.path, f.causes[0].kind) for f in found] == [("b", "links")]


def test_a_damaged_blob_of_the_store_is_told_from_a_difference(tmp_path: Path) -> None:
    right = layer(tmp_path, [file_entry("srv/a", b"true")])
    damaged = tmp_path / ("0" * 64)
    damaged.write_bytes(right.read_bytes())
    found = differences(damaged, right, "", WINDOW)
    assert len(found) == 1 and "damaged" in found[0].causes[0].evidence


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"2025-11-23\n", "time"),
        (b"built 11/23/25\n", "time"),
        (b"\0\0Nov 23 2025\0", "time"),
        (b"t=1763899230;", "time"),
        (b"host=buildkitsandbox\n", "host"),
        (b"2025-11-22\n", None),
        (b"1763899291", None),  # a second after the builds
        (b"01763899230", None),
        (b"nothing", None),
    ],
)
def test_traces_of_the_day_and_the_host(tmp_path: Path, data: bytes, kind: str | None) -> None:
    blob = layer(tmp_path, [file_entry("srv/x", data)])
    found = list(traces(blob, "RUN make x\n", BUILDS, EPOCH))
    assert [(f.path, f.causes[0].kind, f.step) for f in found] == ([("srv/x", kind, "RUN make x")] if kind else [])


def test_a_day_that_the_inputs_know_is_no_trace(tmp_path: Path) -> None:
    blob = layer(tmp_path, [file_entry("srv/x", b"2025-11-23\n")])
    assert list(traces(blob, "", BUILDS, NOON)) == []


def test_a_packages_own_file_is_no_trace_unless_it_was_changed(tmp_path: Path) -> None:
    import hashlib

    data = b"2025-11-23,trixie\n"
    sums = f"{hashlib.md5(data).hexdigest()}  usr/share/releases.csv\n".encode()
    listed = file_entry("var/lib/dpkg/info/releases.md5sums", sums)
    blob = layer(tmp_path, [listed, file_entry("usr/share/releases.csv", data)])
    assert list(traces(blob, "", BUILDS, EPOCH)) == []
    blob = layer(tmp_path, [listed, file_entry("usr/share/releases.csv", data + b"more")])
    assert [finding.path for finding in traces(blob, "", BUILDS, EPOCH)] == ["usr/share/releases.csv"]


def _verdict(*parts: PartVerdict, second: str = "1") -> Verdict:
    return Verdict("tiny", parts, ("1" * 64, second * 64), ("umask 077",), "the clock")


def test_reports_of_a_verdict(tmp_path: Path) -> None:
    good = PartVerdict("env", "base", "base", ("a" * 64, "a" * 64), note="taken as it is")
    made = _verdict(good)
    assert made.reproducible and as_json(made)["reproducible"] is True
    assert as_lines(made, 20)[-1].startswith("tiny is reproducible: both builds gave sha256:1111")

    blobs = [layer(tmp_path, [file_entry(f"srv/{n}", text) for n in range(30)]) for text in (b"17\n", b"23\n")]
    found = tuple(differences(*blobs, "", WINDOW))
    made = _verdict(good, PartVerdict("migrated", "install", "run", ("b" * 64, "c" * 64), found), second="2")
    assert not made.reproducible
    report = as_json(made)
    assert list(report["advice"]) == ["random"]
    assert report["parts"][1]["findings"][0]["causes"][0]["kind"] == "random"
    assert report["parts"][1]["findings"][0]["text"][-2:] == ["-17", "+23"]
    lines = as_lines(made, 20)
    assert sum(line.startswith("    srv/") for line in lines) == 20
    assert "    … and 10 more; --limit 0 shows all" in lines
    assert lines[-1] == "tiny is not reproducible: migrated/install"


def test_a_trace_alone_makes_a_part_not_reproducible() -> None:
    trace = Evidence("x", None, (), None)
    assert not PartVerdict("env", "packages", "run", ("a" * 64, "a" * 64), (trace,)).reproducible
