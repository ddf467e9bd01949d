"""Figures as text, as JSON, and as the tables and plots of docs/benchmarks.md."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.plots import bars, growth
from bench.processes import BenchError
from bench.values import Goal, Table, exponent, table_of

FORMAT = 1
BEGIN, END = "<!-- figures: written by scripts/bench --report -->", "<!-- end of figures -->"


def figure(value: float, unit: str) -> str:
    """A value with three digits that mean something: more would say more than was measured."""
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return f"{text} {unit}" if unit != "x" else f"{100 * value:.3g} %"


def summary(table: Table) -> str:
    """One line: each series' median."""
    values = [f"{name} {figure(table.median(name), table.unit)}" for name in table.series]
    return "; ".join([*values, *table.notes]) or "nothing"


def goal_text(table: Table, goal: Goal, got: float) -> str:
    kept = "holds" if got <= goal.limit else "does not hold"
    limit = figure(goal.limit, table.unit) if goal.over is None else f"{goal.limit:g} of {goal.over}"
    shown = figure(got, table.unit) if goal.over is None else f"{got:.2f}"
    shown += "" if goal.beyond is None else f" beyond {goal.beyond}"
    about = f"{goal.series}: " if next(iter(table.series), goal.series) != goal.series else ""
    return f"{about}{shown}, goal {limit}: {kept}"


def lines(run: dict[str, Any]) -> Iterator[str]:
    """A run for people: every table's medians, what they are of one another, and what was wanted."""
    yield f"{run['engine']}, {run['commit']}, load {run['load']['before'][0]} to {run['load']['after'][0]}"
    for value in run["tables"]:
        table = table_of(value)
        yield f"{table.name}  {table.title}"
        ratios = table.ratios()
        for name, values in table.series.items():
            spread = f"  ({figure(min(values), table.unit)} to {figure(max(values), table.unit)})"
            ratio = f"  ratio {ratios[name]:.2f}" if name in ratios else ""
            yield f"    {name:32} {figure(table.median(name), table.unit):>10}{spread}{ratio}"
        if slope := growing(table):
            yield f"    {slope}"
        if not run["quick"]:
            yield from (f"    {goal_text(table, goal, got)}" for goal, got in table.verdicts())
        yield from (f"    {note}" for note in table.notes)


def growing(table: Table) -> str | None:
    """How a table of what grows does so."""
    if table.growing is None or len(table.series) < 2:
        return None
    points = {float(name): table.median(name) for name in table.series}
    if min(points.values()) <= 0:
        return None
    return f"grows as {table.growing} to the power of {exponent(points):.2f}"


def read(path: Path) -> list[dict[str, Any]]:
    """The runs of a file. Raises BenchError for a file of another form."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["format"] != FORMAT:
            raise BenchError(f"{path} has format {value['format']}; this program reads {FORMAT}")
        return list(value["runs"])
    except FileNotFoundError as error:
        raise BenchError(f"{path} is not there") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path} has no figures of scripts/bench: {error}") from error


def add(path: Path, run: dict[str, Any]) -> None:
    """Put a run into a file. Cases of the same label, engine, project and size that were not measured again stay."""
    runs = read(path) if path.exists() else []
    for number, old in enumerate(runs):
        if all(old[name] == run[name] for name in ("label", "engine", "project", "weights")):
            new = {table["name"].split("-")[0] for table in run["tables"]}
            kept = [table for table in old["tables"] if table["name"].split("-")[0] not in new]
            tables = sorted([*kept, *run["tables"]], key=lambda table: str(table["name"].split("-")[0]))
            runs[number] = {**run, "tables": tables}
            break
    else:
        runs.append(run)
    path.write_text(json.dumps({"format": FORMAT, "runs": runs}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write(path: Path) -> list[Path]:
    """Write figures into benchmarks.md beside the JSON file, between its marks, and plots; gives what it wrote."""
    runs, page = read(path), path.with_suffix(".md")
    if not page.is_file() or BEGIN not in (text := page.read_text(encoding="utf-8")) or END not in text:
        raise BenchError(f"{page} is not there, or has no place for the figures: {BEGIN} … {END}")
    made, body = [page], []
    for number, run in enumerate(runs, 1):
        drawn = plots(run, path.parent, f"{path.stem}-{number}")
        made += drawn
        body += [*markdown(run), *(f"\n![{one.stem}]({one.name})" for one in drawn), ""]
    head, rest = text.split(BEGIN, 1)
    page.write_text(f"{head}{BEGIN}\n\n" + "\n".join(body) + f"\n{END}" + rest.split(END, 1)[1], encoding="utf-8")
    return made


def markdown(run: dict[str, Any]) -> Iterator[str]:
    machine = run["machine"]
    yield f"### {run['engine']}: {run['label']}, commit {run['commit']}"
    yield ""
    memory = f"{machine['memory'] / (1 << 30):.0f} GiB of memory"
    yield f"{machine['cpu']}, {machine['cores']} cores, {memory}, {machine['disk']}, Linux {machine['kernel']}, "
    yield f"Python {machine['python']}; {run['project']}, {run['weights'] / (1 << 30):.3g} GiB of weights."
    yield ""
    yield "| case | what | median | least to most | rounds | ratio | goal | load |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for value in run["tables"]:
        table = table_of(value)
        ratios = table.ratios()
        goals = [goal_text(table, goal, got) for goal, got in table.verdicts()]
        if slope := growing(table):
            goals.append(slope)
        goals += table.notes
        first = True
        for name, values in table.series.items():
            cells = [
                table.name if first else "",
                f"{table.title}: {name}" if first else name,
                figure(table.median(name), table.unit),
                f"{figure(min(values), table.unit)} to {figure(max(values), table.unit)}",
                str(len(values)),
                f"{ratios[name]:.2f}" if name in ratios else "",
                "; ".join(goals) if first else "",
                f"{table.load:.1f}" if first and table.load is not None else "",
            ]
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
            first = False


def plots(run: dict[str, Any], folder: Path, stem: str = "bench") -> list[Path]:
    """Draw a run: times of the sides beside each other, and a plot of everything that grows; gives the files."""
    tables = [table_of(value) for value in run["tables"]]
    title = f"{run['engine']}, {run['commit']}"
    drawn: dict[str, str] = {}
    if sides := [table for table in tables if table.growing is None and table.unit == "s"]:
        drawn["times"] = bars(f"Seconds (median): {title}", sides)
    for table in tables:
        if table.growing is not None and table.series:
            drawn[table.name] = growth(f"{table.title} ({table.unit}): {title}", table)
    paths = []
    for name, text in drawn.items():
        paths.append(folder / f"{stem}-{re.sub('[^a-z0-9-]', '', name)}.svg")
        paths[-1].write_text(text, encoding="utf-8")
    return paths
