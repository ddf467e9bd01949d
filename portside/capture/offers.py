"""What can be said better than by a diff: a change of the step that wrote a line, one step for what repeats.

Both are offered, and taken where a person says so. A line that an own step of the recipe wrote becomes that step's
text; the same change of a line in several places becomes a `replace` or a `set-line`. What is taken is then done in
every state of the folder's history, so that the diffs have only the rest.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from portside.capture.edits import REGULAR, Edits, Round, Sorted
from portside.capture.own_steps import own_steps
from portside.capture.splice import RecipeText
from portside.develop.repository import WorkRepository
from portside.patches.steps import Replace, SetLine
from portside.patches.unified import parse_diff
from portside.recipe import Recipe

Pair = tuple[str, str, str]
"""A line that was edited: its path, what it was, what it is."""
_WORD = re.compile(r"\w")


@dataclass(frozen=True)
class StepOffer:
    """One of them. title: for people. changes: of which lines it takes care. at: where the step that changes stands in
    the recipe's own list, and which of its keys, None for a new one. value: the step, or the key's value."""

    title: str
    changes: tuple[Pair, ...]
    value: Any
    at: tuple[int, str] | None = None
    token: tuple[str, str] | None = None

    @property
    def paths(self) -> list[str]:
        return sorted({path for path, _, _ in self.changes})

    def done(self, path: str, data: bytes) -> bytes:
        """A file's bytes with what it says."""
        text = data.decode("utf-8", "surrogateescape")
        if self.token is not None:
            return text.replace(*self.token).encode("utf-8", "surrogateescape")
        lines = {old: new for where, old, new in self.changes if where == path}
        out = []
        for line in text.split("\n"):
            bare, end = (line[:-1], "\r") if line.endswith("\r") else (line, "")
            out.append(lines.get(bare, bare) + end)
        return "\n".join(out).encode("utf-8", "surrogateescape")


def find_offers(
    edits: Edits, placed: Sorted, repository: WorkRepository, recipe: Recipe, text: RecipeText
) -> list[StepOffer]:
    """All that fit: each gives, by itself, just the lines that it takes care of."""
    pairs = _pairs(edits, placed, repository)
    offers = []
    left = list(pairs)
    for offer in [*_of_steps(pairs, recipe, text), *_of_repeats(pairs)]:
        if all(pair in left for pair in offer.changes) and _fits(offer, edits, repository):
            offers.append(offer)
            left = [pair for pair in left if pair not in offer.changes]
    return offers


def _pairs(edits: Edits, placed: Sorted, repository: WorkRepository) -> list[Pair]:
    """The lines that were edited one for one, of text files that patches reach."""
    found: list[Pair] = []
    binary = repository.binary(edits.base, edits.now)
    put = {
        path: edits.new[path]
        for path in edits.paths
        if path in placed.patched and path not in binary and path in edits.old and path in edits.new
        if edits.old[path][0] in REGULAR and edits.new[path][0] in REGULAR
    }
    diff = repository.patch(edits.base, repository.with_changes(edits.base, put), renames=False, context=0)
    if not diff:
        return []
    for file in parse_diff(diff, "what was edited", 1):
        if file.old is None or file.old != file.new or file.old not in placed.patched:
            continue
        for hunk in file.hunks:
            old = [text for sign, text, _ in hunk.lines if sign == b"-"]
            new = [text for sign, text, _ in hunk.lines if sign == b"+"]
            if len(old) != len(new):
                continue
            for one, other in zip(old, new, strict=True):
                before, after = (part.decode("utf-8", "surrogateescape").removesuffix("\r") for part in (one, other))
                if before.isprintable() and after.isprintable() and before.strip() and before != after:
                    found.append((file.old, before, after))
    return found


def _of_steps(pairs: Sequence[Pair], recipe: Recipe, text: RecipeText) -> list[StepOffer]:
    """Changes of own steps of the recipe that wrote what was edited."""
    offers = []
    for number, at in sorted(own_steps(recipe, text).items(), reverse=True):
        one = recipe.model.patches[number]
        if not isinstance(one, Replace | SetLine) or one.regex:
            continue
        written = one.to if isinstance(one, SetLine) else one.new
        key = "to" if isinstance(one, SetLine) else "with"
        by_result: dict[str, list[Pair]] = defaultdict(list)
        for pair in pairs:
            if (result := _rewritten(written, pair[1], pair[2], whole=isinstance(one, SetLine))) is not None:
                by_result[result].append(pair)
        for result, changes in by_result.items():
            if len(changes) == one.count and result != (one.before if isinstance(one, SetLine) else one.replace):
                title = f"{one.title}: {key}: {result.strip()}"
                offers.append(StepOffer(title, tuple(changes), result, (at, key)))
    return offers


def _rewritten(written: str, old: str, new: str, *, whole: bool) -> str | None:
    """What a step would have to write so that a line is the new one; None where it did not write the old one."""
    if whole:
        return new if written == old else None
    lines = written.split("\n")
    if len(lines) > 1:
        return "\n".join(new if line == old else line for line in lines) if lines.count(old) == 1 else None
    if not written.strip() or old.count(written) != 1:
        return None
    before, _, after = old.partition(written)
    if not new.startswith(before) or not new.endswith(after) or len(new) < len(before) + len(after):
        return None
    return new[len(before) : len(new) - len(after)]


def _of_repeats(pairs: Sequence[Pair]) -> list[StepOffer]:
    """One step for the same change in several places: of a word, or else of whole lines."""
    offers = []
    tokens: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    lines: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        tokens[_token(pair[1], pair[2])].append(pair)
        lines[pair[1:]].append(pair)
    for (old, new), changes in tokens.items():
        if len(changes) > 1 and len(old.strip()) > 2 and old not in new:
            value = {"replace": old, "with": new, "files": _listed(changes), "count": len(changes)}
            offers.append(StepOffer(f"replace: {old}", tuple(changes), value, token=(old, new)))
    for (old, new), changes in lines.items():
        if len(changes) > 1:
            value = {"set-line": old, "to": new, "files": _listed(changes), "count": len(changes)}
            offers.append(StepOffer(f"set-line: {old.strip()}", tuple(changes), value))
    return offers


def _listed(changes: Sequence[Pair]) -> str | list[str]:
    paths = sorted({path for path, _, _ in changes})
    return paths[0] if len(paths) == 1 else paths


def _token(old: str, new: str) -> tuple[str, str]:
    """What differs of two lines, as whole words."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    while start and _WORD.match(old[start - 1]):
        start -= 1
    while end and _WORD.match(old[len(old) - end]):
        end -= 1
    return old[start : len(old) - end], new[start : len(new) - end]


def _fits(offer: StepOffer, edits: Edits, repository: WorkRepository) -> bool:
    """Whether it changes just those lines of the base, and none of what the folder has now."""
    for path in offer.paths:
        if any(char in path for char in "*?\\") or path not in edits.new:
            return False
        base = repository.blob(edits.old[path][1])
        now = repository.blob(edits.new[path][1])
        wanted = sum(where == path for where, _, _ in offer.changes)
        if offer.token is not None:
            count = base.decode("utf-8", "surrogateescape").count(offer.token[0])
        else:
            text = base.decode("utf-8", "surrogateescape").split("\n")
            olds = {old for where, old, _ in offer.changes if where == path}
            count = sum(line.removesuffix("\r") in olds for line in text)
        if count != wanted or offer.done(path, now) != now:
            return False
    return True


def taken(edits: Edits, offers: Sequence[StepOffer], repository: WorkRepository) -> Edits:
    """The edits that are left when these offers are taken: every state of the folder has what they say."""
    known: dict[str, str] = {}

    def changed(tree: str) -> str:
        if tree not in known:
            there = repository.listing(tree)
            put: dict[str, tuple[str, str] | None] = {}
            for path in sorted({path for offer in offers for path in offer.paths}):
                if path in there and there[path][0] in REGULAR:
                    data = repository.blob(there[path][1])
                    for offer in offers:
                        if path in offer.paths:
                            data = offer.done(path, data)
                    put[path] = (there[path][0], repository.keep_blob(data))
            known[tree] = repository.with_changes(tree, put) if put else tree
        return known[tree]

    base = changed(edits.base)
    rounds = [Round(changed(one.before), changed(one.after), one.commit) for one in edits.rounds]
    left = tuple(one for one in rounds if one.before != one.after)
    return replace(edits, base=base, old=repository.listing(base), rounds=left)
