"""Calls of the command line, each in a process of its own that need not import the program first.

A Python that has imported it waits, and forks for every call: the folder, the environment, the arguments and the
streams are the call's. Its start itself is not tested here; tests/unit/cli/test_command_line.py starts Python anew.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from portside.cli.root import CHECKOUT

PROGRAMS = {
    "portside": "from portside.cli.program import portside; sys.argv[0] = 'portside'; portside()",
    "invoke": "from invoke.main import program; sys.argv[0] = 'invoke'; program.run()",
    "python -m portside": "import runpy; runpy.run_module('portside', run_name='__main__', alter_sys=True)",
}

# A call ends without taking the interpreter apart, which takes longer than most calls: after what is left to do at exit
# and what the streams still hold.
WAITING = """
import atexit, gc, json, os, sys
import invoke.main, portside.cli.program, portside.cli.begin_tasks, portside.cli.image_tasks, portside.project
import portside.build.many, portside.prepare, portside.share.pull, portside.share.push, portside.runtime.run
# and not portside.cli.tasks, which looks at the project when it is imported
gc.freeze()
for line in sys.stdin:
    if (child := os.fork()) == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
call = json.loads(line)
os.environ.clear()
os.environ.update(call["environment"])
os.chdir(call["cwd"])
for number, (path, flags) in enumerate([(os.devnull, os.O_RDONLY), *((path, os.O_WRONLY) for path in call["out"])]):
    os.dup2(os.open(path, flags), number)
sys.argv[1:] = call["words"]
try:
    code = exec(call["code"])
except SystemExit as end:
    code = end.code
except BaseException:
    sys.excepthook(*sys.exc_info())
    code = 1
if not isinstance(code, int | None):
    print(code, file=sys.stderr)
    code = 1
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code or 0)
"""


@cache
def _waiting() -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WAITING]
    waiting = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(waiting.communicate)  # it ends when its stdin does
    return waiting


def call(
    cwd: Path, words: Sequence[str], environment: Mapping[str, str], program: str = "portside"
) -> "subprocess.CompletedProcess[str]":
    """Call one of PROGRAMS in a folder, with nothing at its stdin. environment: what differs from ours."""
    waiting = _waiting()
    assert waiting.stdin is not None and waiting.stdout is not None
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        wanted = {
            "cwd": str(cwd),
            "environment": {**os.environ, **environment},
            "words": list(words),
            "out": [out.name, err.name],
            "code": f"import sys; {PROGRAMS[program]}",
        }
        waiting.stdin.write(json.dumps(wanted) + "\n")
        waiting.stdin.flush()
        code = int(waiting.stdout.readline())
        texts = [Path(name).read_text(encoding="utf-8") for name in (out.name, err.name)]
    return subprocess.CompletedProcess([program, *words], code, *texts)
