"""The quick rows of scripts/perturb, all in one build: nothing of them is to be seen in an image ID."""

import os
import sys
from pathlib import Path

import tiny_project

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from perturb.rows import LONG, all_at_once

FILES = {f"many/{number * 7919 % 300:03} é": f"{number}\n".encode() for number in range(300)}
STEPS = (
    "mkdir -p linked gone turns/folder && echo one > linked/b && ln linked/b linked/a && ln -s no\\ such linked/c",
    "chmod 0 linked/b; mkfifo pipe; chmod 7777 turns; echo old > turns/file; touch -d 1969-12-31T23:59:59Z pipe",
    "rm -r gone turns/folder && echo file > turns/folder && rm turns/file && mkdir turns/file && ln linked/a again",
    'touch -d 2100-01-01 linked/a; perl -e \'chown 4294967294, 3000000, "again"; open F, ">\\xff\\xfe \\n"\'; rm pipe',
)


def test_nothing_of_where_and_when_a_build_runs_is_in_the_image(tmp_path: Path) -> None:
    row = all_at_once(tmp_path)
    ids = []
    for place, before in (("a", ()), (LONG, row.before)):
        project = tiny_project.tiny_project(tmp_path / place)
        project.suffix = f"perturbed-{os.getpid()}"
        try:
            name = project.add(
                "odd", install=STEPS, files=FILES, sdists={"s": {"z.py": b"1", "a.py": b"2"}}, weights={"w.bin": b"w"}
            )
            project.machine.prefix = before
            ids.append(project.machine.json("build", "--recipe", name, "--no-load", "--no-cache")["image_id"])
        finally:
            tiny_project.remove(project)
    assert ids[0] == ids[1]
