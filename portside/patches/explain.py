"""What a person reads when a step does not find what it must: the places that are there, and what comes close."""

import difflib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from portside.errors import MigrationError
from portside.patches.document import Document, readable

SHOWN = 200
"""Places that an error lists at most."""
WIDEST = 1000
"""Characters of a line that are kept for it: there may be as many places as a line has characters."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place, or almost one. line: from 1, 0 for the whole file. why: what keeps it from being a place."""

    path: str
    line: int
    text: str
    why: str = ""

    def __str__(self) -> str:
        where = f"{readable(self.path)}:{self.line}" if self.line else readable(self.path)
        text = self.text.strip() if len(self.text.strip()) <= 160 else self.text.strip()[:159] + "…"
        return f"    {where}: {text}" + (f"  ({self.why})" if text and self.why else self.why)


def wrong_count(
    where: str, expected: int, found: Sequence[Candidate], near: Sequence[Candidate], scope: str, adjust: str
) -> MigrationError:
    """where: the step. scope: in what it looked. adjust: the keys of the step that a person may change."""
    places = "place" if expected == 1 else "places"
    lines = [
        f"{where}: must change {expected} {places}, but {len(found) or 'none'} {_is(len(found))} there, in {scope}"
    ]
    if found:
        lines += ["  the places:", *listing(found)]
    there = {(candidate.path, candidate.line) for candidate in found}
    if close := [candidate for candidate in near if (candidate.path, candidate.line) not in there]:
        lines += ["  close to it:", *listing(close)]
    if found:
        solution = (
            "The code is not what this step was written for. Look at each place above: if all of them are meant, "
            f"say `count: {len(found)}`; otherwise correct {adjust}."
        )
    else:
        solution = (
            f"The code is not what this step was written for. Correct {adjust} after the code as it is now, "
            "or remove the step if it is no longer needed."
        )
    return MigrationError("\n".join(lines), solution)


def listing(candidates: Sequence[Candidate]) -> list[str]:
    shown = [str(candidate) for candidate in candidates[:SHOWN]]
    more = len(candidates) - SHOWN
    return shown + ([f"    … and {more} more"] if more > 0 else [])


def no_file(where: str, glob: str, keys: str, close: Sequence[str], why: str | None) -> MigrationError:
    lines = [f"{where}: no file matches {glob!r}" + (f": {why}" if why else "")]
    if close:
        lines += ["  close to it:", *(f"    {readable(path)}" for path in close)]
    return MigrationError("\n".join(lines), f"Correct {keys}: paths are relative to the recipe's workspace.")


def closest_lines(documents: Iterable[Document], wanted: str) -> list[Candidate]:
    """Up to five lines that look most like the first line of `wanted` that is not blank, best first."""
    wanted = next((line.strip() for line in wanted.split("\n") if line.strip()), "")
    squeezed = "".join(wanted.split()).lower()[:100]
    grams = {squeezed[n : n + 3] for n in range(max(1, len(squeezed) - 2))} - {""}

    def sharing() -> Iterator[tuple[int, int, Candidate]]:
        order = 0
        for document in documents:
            for number, line in enumerate(document.lines, 1):
                lower = "".join(line.split()).lower()
                shared = sum(gram in lower for gram in grams)
                if 3 * shared >= len(grams) and shared:
                    order -= 1
                    yield shared, order, Candidate(document.path, number, readable(line))

    best = heapq.nlargest(100, sharing())
    rated = [(_likeness(candidate.text.strip(), wanted), order, candidate) for _, order, candidate in best]
    ordered = sorted(rated, key=lambda item: (-item[0], -item[1]))
    return [candidate for likeness, _, candidate in ordered[:5] if likeness >= 0.5]


def _likeness(line: str, wanted: str) -> float:
    """1 if the line holds what is wanted but for white space and case, else difflib's ratio over the best stretch."""
    if "".join(wanted.split()).lower() in "".join(line.split()).lower():
        return 1.0
    matcher = difflib.SequenceMatcher(None, line[:400], wanted[:400], autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks() if block.size > 1) / max(1, len(wanted[:400]))


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
