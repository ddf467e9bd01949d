"""What a cause is: the kinds that there are, and the advice for each."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["time", "order", "parallelism", "locale", "random", "path", "host", "umask", "owner", "links", "unknown"]

ADVICE: dict[Kind, str] = {
    "time": "Write $SOURCE_DATE_EPOCH, which every step has, instead of the clock: date -u -d @$SOURCE_DATE_EPOCH; "
    "or leave the time out.",
    "order": "Sort before writing: sort, sorted(…), find … | LC_ALL=C sort; hash tables and folders have no order.",
    "parallelism": "Let the step run one job at a time, or sort what its jobs write.",
    "locale": "Set LC_ALL=C for the command that sorts or formats.",
    "random": "Give the program a fixed seed, or let it make the value when the container starts, not in the build.",
    "path": "Do not write names of temporary folders: use a fixed folder, relative paths, or a path prefix map.",
    "host": "Do not write the host name: it is the engine's, and another on every engine.",
    "umask": "Set modes in the step itself: chmod, install -m.",
    "owner": "Set the owner in the step itself: chown, install -o -g.",
    "links": "Make the hard links in a fixed order, or copy instead.",
    "unknown": "Keep both builds and look at them: invoke verify --keep DIR, then invoke diff of the tars in it.",
}


@dataclass(frozen=True)
class Cause:
    """A likely cause. evidence: what speaks for it, for a person."""

    kind: Kind
    evidence: str


@dataclass(frozen=True)
class Window:
    """When the two builds ran, seconds since 1970: no earlier than `first`, no later than `last`."""

    first: int
    last: int

    def __contains__(self, seconds: float) -> bool:
        return self.first <= seconds <= self.last
