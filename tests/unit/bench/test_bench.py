"""What the benchmarks say of their figures, and what they look at before they begin; no figure is judged here."""

import json
import socket
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench import cli, report
from bench.counter import counted
from bench.plots import bars, growth
from bench.processes import BenchError, Watch, run
from bench.project import Told, write_noise
from bench.values import Goal, Table, exponent, table_of
from bench.work import order


def table(**series: list[float]) -> Table:
    made = Table("b1", "An edit", goals=[Goal("ours", 0.5, "theirs"), Goal("ours", 10)], load=2.5)
    made.series = series
    return made


def run_of(*tables: Table, label: str = "now", engine: str = "Docker 1") -> dict[str, object]:
    machine = {"cpu": "a <fast> one", "cores": 2, "memory": 1 << 30, "disk": "ext4", "kernel": "6", "python": "3"}
    return {
        "label": label,
        "commit": "abc",
        "engine": engine,
        "machine": machine,
        "load": {"before": [0.5, 1, 1], "after": [2.5, 1, 1]},
        "rounds": 3,
        "weights": 1 << 30,
        "quick": False,
        "project": "minilm",
        "tables": [one.as_json() for one in tables],
    }


def test_ratios_are_those_of_medians() -> None:
    made = table(ours=[1, 2, 90], theirs=[3, 4, 5])
    assert made.ratios() == {"theirs": 0.5}
    assert [(goal.limit, got) for goal, got in made.verdicts()] == [(0.5, 0.5), (10, 2)]
    assert table_of(json.loads(json.dumps(made.as_json()))) == made


def test_a_goal_without_its_peer_is_not_judged() -> None:
    assert [goal.limit for goal, _ in table(ours=[1.0]).verdicts()] == [10]
    assert list(table(theirs=[1.0]).verdicts()) == []


def test_a_goal_beyond_what_another_takes() -> None:
    made = table(ours=[3.0, 3.5], step=[1.0, 2.0])
    made.goals = [Goal("ours", 2, beyond="step"), Goal("ours", 2, beyond="absent")]
    assert [(goal.beyond, got) for goal, got in made.verdicts()] == [("step", 1.75)]
    assert report.goal_text(made, made.goals[0], 1.75) == "1.75 s beyond step, goal 2 s: holds"


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_how_something_grows(power: float) -> None:
    assert exponent({size: 3 * size**power for size in (1, 10, 100)}) == pytest.approx(power)


def test_every_side_is_first_in_its_turn() -> None:
    assert [order(["a", "b", "c"], number)[0] for number in range(4)] == ["a", "b", "c", "a"]


def test_plots_are_images_that_name_what_they_show() -> None:
    grown = Table("e", "Files & bytes", growing="files", series={"10": [1.0], "1000": [100.0]})
    for text in (bars("<title>", [table(ours=[1], theirs=[2])]), growth("<title>", grown)):
        words = [node.text for node in ElementTree.fromstring(text).iter() if node.text and node.text.strip()]
        assert "<title>" in words and any("ours" in word or word == "1000" for word in words)


def test_a_report_has_what_the_file_has(tmp_path: Path) -> None:
    figures, page = tmp_path / "figures.json", tmp_path / "figures.md"
    grown = Table("e-files", "Growth", growing="files", series={"10": [1.0], "1000": [100.0]})
    report.add(figures, run_of(table(ours=[1, 2, 90], theirs=[3, 4, 5]), grown))
    page.write_text(f"above\n{report.BEGIN}stale{report.END}\nbelow\n")
    written = report.write(figures)
    text = page.read_text()
    assert text.startswith("above\n") and text.endswith("\nbelow\n") and "stale" not in text
    goals = "0.50, goal 0.5 of theirs: holds; 2 s, goal 10 s: holds"
    assert f"| b1 | An edit: ours | 2 s | 1 s to 90 s | 3 |  | {goals} | 2.5 |" in text
    assert "to the power of 1.00" in text
    assert sorted(path.name for path in written) == sorted(path.name for path in tmp_path.glob("*[!n]"))
    assert report.write(figures) == written and page.read_text() == text


def test_a_run_replaces_the_cases_that_it_measured_again(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    other = Table("c-store", "Store", series={"ours": [7.0]})
    report.add(figures, run_of(table(ours=[1.0]), other))
    report.add(figures, run_of(table(ours=[2.0])))
    report.add(figures, run_of(table(ours=[3.0]), engine="Podman 4"))
    first, second = report.read(figures)
    assert [(one["name"], one["series"]) for one in first["tables"]] == [
        ("b1", {"ours": [2.0]}),
        ("c-store", {"ours": [7.0]}),
    ]
    assert second["engine"] == "Podman 4"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99, "runs": []}'])
def test_a_file_of_another_form_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "figures.json").write_text(text)
    with pytest.raises(BenchError, match=r"figures\.json"):
        report.read(tmp_path / "figures.json")


def test_a_full_disk_is_said_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "free", lambda folder: 1 << 30)
    assert cli.main(["--case", "b1", "--size", "2", "--folder", str(tmp_path)]) == 1
    assert "error: 23.0 GiB of disk are needed and 1.0 GiB are free" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_sizes_follow_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {}
    for gib in (5, 30, 100):
        monkeypatch.setattr(cli, "free", lambda folder, gib=gib: gib << 30)
        settings = cli.settings_of(cli.parser().parse_args([]))
        sizes[gib] = (settings.size / cli.GIB, max(settings.growth_sizes) / cli.GIB)
    assert sizes == {5: (0.5, 1), 30: (2, 4), 100: (2, 8)}


def test_a_dry_run_says_what_it_needs_and_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--case", "g", "--dry-run", "--quick", "--folder", str(tmp_path)]) == 0
    assert "  g   start\nneeds 0.0 GiB of disk" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_says_is_looked_at(tmp_path: Path) -> None:
    def say(code: str, expect: str | None = None) -> str:
        return run([sys.executable, "-c", code], environment={}, cwd=tmp_path, expect=expect).stdout

    assert say("print(1)", "1") == "1\n"
    with pytest.raises(BenchError, match="and '2' was expected"):
        say("print(1)", "2")
    with pytest.raises(BenchError, match="exit code 3:\nwhy"):
        say("import sys; print('why'); sys.exit(3)")


def test_memory_is_that_of_a_process_and_its_children() -> None:
    code = "x = bytearray(b'1' * (100 << 20)); print('there', flush=True); input()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "there\n"
        assert 100 << 20 <= Watch(process.pid).stop() <= 300 << 20
        process.stdin.write("\n")
    assert Watch(process.pid).stop() == 0


def test_the_counter_passes_on_everything_and_counts_one_way(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "daemon"))
        daemon.listen()

        def answer() -> None:
            connection, _ = daemon.accept()
            with connection:
                got = b"".join(iter(lambda: connection.recv(1 << 16), b""))
                connection.sendall(b"answer " + got[-5:])

        thread = threading.Thread(target=answer)
        thread.start()
        with counted(tmp_path / "daemon", tmp_path / "between") as counter, socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "between"))
            client.sendall(b"x" * 300_000 + b"hello")
            client.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: client.recv(1 << 16), b"")) == b"answer hello"
            assert counter.sent == 300_005
        thread.join()
    assert not (tmp_path / "between").exists()


def test_noise_is_another_for_another_seed_and_does_not_repeat(tmp_path: Path) -> None:
    for seed in ("a", "b", "a"):
        write_noise(tmp_path / seed, (2 << 20) + 5, seed)
    first, second = (tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()
    assert len(first) == (2 << 20) + 5 and first != second and first[: 1 << 20] != first[1 << 20 : 2 << 20]


def test_every_edit_of_packages_is_another_selection() -> None:
    assert [Told(env=number).packages for number in (1, 2, 3)] == [("ed",), ("hello",), ("ed", "hello")]


def test_the_frozen_dockerfile_is_the_one_of_its_commit() -> None:
    """Whoever changes a peer changes what every figure says: measure anew, and say so."""
    folder = Path(cli.__file__).parent / "peers"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()[:16] for path in files} == FROZEN


FROZEN = {
    "minilm/link.Dockerfile": "5711dc12c8740c7d",
    "minilm/plain.Dockerfile": "1000df048c2dcc7e",
    "tiny/link.Dockerfile": "c9adc50d4508f597",
    "tiny/plain.Dockerfile": "4152c34a0e72b918",
}
