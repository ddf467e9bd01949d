"""What BuildKit prints with `--progress plain`: which step failed, and what that one wrote."""

import re
from collections import deque
from collections.abc import Callable

from portside.engines.base import ImageToBuild
from portside.engines.command import LAST_LINES, build_failed
from portside.errors import StepError

_STEP = re.compile(r"^#(\d+) (\[.+)$")
_STEP_ERROR = re.compile(r"^#(\d+) ERROR:? ?(.*)$")
_OUTPUT = re.compile(r"^#(\d+) \d+\.\d+(?: (.*))?$")
"""A line that a step wrote, with its seconds in front."""
_EXIT_CODE = re.compile(r"exit code: (\d+)$")


class BuildLog:
    """The output of one build, line by line. last: its last lines. exit_code: of the command of the step that failed,
    None where that step did not come to its end.

    log: is given every line.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self.exit_code: int | None = None
        self._log = log
        self._said: dict[str, deque[str]] = {}
        self._steps: dict[str, str] = {}
        self._failed: str | None = None

    def take(self, line: str) -> None:
        self.last.append(line)
        self._log(line)
        if step := _STEP.match(line):
            self._steps.setdefault(step[1], step[2])
        elif text := _OUTPUT.match(line):
            self._lines_of(text[1]).append(text[2] or "")
        elif self._failed is None and (error := _STEP_ERROR.match(line)):
            self._failed = error[1]
            code = _EXIT_CODE.search(line)
            self.exit_code = int(code[1]) if code else None
            self._lines_of(error[1]).append(code[0] if code else error[2])

    def _lines_of(self, number: str) -> deque[str]:
        return self._said.setdefault(number, deque(maxlen=LAST_LINES))

    def error(self, image: ImageToBuild) -> StepError:
        """The error for a build that failed."""
        failed = self._failed or ""
        return build_failed(image, self._steps.get(failed), list(self._said.get(failed, self.last)))
