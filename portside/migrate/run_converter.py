"""Runs the converter of a base image on copies of source trees. This file is executed inside the image.

So it needs nothing but the image's own Python (3.6 or newer) and its standard library. What it leaves is the same every
time: the converter works on a copy in a scratch folder, at the same path in every build, cannot leave byte code of the
modules that it imports, and its report, which it writes in the order in which the disk lists files, is put in the
order of paths.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

ROW = re.compile(rb"\| \d+ \| (.*?):(\d+) \| .*")


def in_order(report: bytes) -> bytes:
    """A converter's report with the rows (`| NUMBER | PATH:LINE | …`) by path and line, numbered anew.

    What stands above the first row stays there; any other line stays behind the row that it follows.
    """
    head = []  # lines
    rows = []  # (path, line, lines)
    for line in report.split(b"\n"):
        found = ROW.fullmatch(line)
        if found:
            rows.append((found.group(1), int(found.group(2)), [line]))
        elif rows and line:
            rows[-1][2].append(line)
        elif line or not rows:
            head.append(line)
    rows.sort(key=lambda row: row[:2])
    out = head[:]
    for number, (_, _, lines) in enumerate(rows, 1):
        out.append(re.sub(rb"\| \d+ ", b"| %d " % number, lines[0], count=1))
        out += lines[1:]
    return b"\n".join(out).rstrip(b"\n") + b"\n"


def convert(source: str, target: str, report: str, options: argparse.Namespace) -> None:
    """Convert the tree `source` into the new folder `target`, and write the converter's report to the file `report`.

    The converter never sees a file of the source that has the report's name, or the two would mix: it is put into the
    result afterwards. Ends the program with a message where the converter fails or does not do what is expected of it.
    """
    name = os.path.basename(source)
    if os.path.lexists(target):
        sys.exit(f"portside: {target} is there already")
    os.makedirs(options.scratch)
    copy = os.path.join(options.scratch, name)
    own = os.path.join(options.scratch, "own")
    shutil.copytree(source, copy, symlinks=True)
    if os.path.lexists(os.path.join(copy, options.report)):
        os.rename(os.path.join(copy, options.report), own)
    command = [sys.executable, options.converter, options.input, copy] + [options.strict] * bool(options.strict)
    environment = dict(os.environ, HOME=options.scratch, PYTHONDONTWRITEBYTECODE="1")
    sys.stdout.flush()
    code = subprocess.call(command, cwd=options.scratch, env=environment, stdin=subprocess.DEVNULL)
    if code:
        sys.exit(f"portside: the converter {options.converter} ended with {code} on {name}")
    made = copy + options.suffix
    written = os.path.join(made, options.report)
    if not os.path.isfile(written):
        sys.exit(f"portside: the converter {options.converter} wrote no {options.report} for {name}")
    with open(written, "rb") as stream:
        rows = in_order(stream.read())
    os.remove(written)
    with open(report, "wb") as stream:
        stream.write(rows)
    if os.path.lexists(own):
        shutil.move(own, written)
    shutil.move(made, target)
    shutil.rmtree(options.scratch)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the converter of a base image on copies of source trees.")
    parser.add_argument("--converter", required=True, help="its path")
    parser.add_argument("--input", required=True, help="its option before the folder to convert")
    parser.add_argument("--strict", help="its option for more replacements, if it is to be used")
    parser.add_argument("--suffix", required=True, help="what it appends to the folder's name for the result")
    parser.add_argument("--report", required=True, help="the file of the result that is its report")
    parser.add_argument("--scratch", default="/tmp/portside-converter", help="a folder that is not there yet")
    parser.add_argument("--reports", default="migration/converter", help="where to put its reports, as NAME.md")
    parser.add_argument("workspace", help="the folder that holds the sources and gets the results")
    parser.add_argument("trees", nargs="+", help="SOURCE=RESULT, folders of the workspace")
    options = parser.parse_args()
    os.umask(0o022)
    if not os.path.isfile(options.converter):
        sys.exit(f"portside: the image has no converter {options.converter}; migration.converter says where it is")
    reports = os.path.join(options.workspace, options.reports)
    os.makedirs(reports, exist_ok=True)
    for pair in options.trees:
        source, _, target = pair.partition("=")
        report = os.path.join(reports, source + ".md")
        convert(os.path.join(options.workspace, source), os.path.join(options.workspace, target), report, options)


if __name__ == "__main__":
    main()
