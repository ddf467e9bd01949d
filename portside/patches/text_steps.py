"""The steps that change text: where each kind finds its places, and what comes close when the number is wrong."""

import re
from collections.abc import Callable
from typing import Any

from portside.patches.comments import comment_lines, comment_marker
from portside.patches.document import Document, TextEdit, readable
from portside.patches.explain import Candidate, closest_lines
from portside.patches.python import explain_imports, find_imports
from portside.patches.steps import CommentOut, Define, Replace, SetLine, Step


def find_places(step: Step, document: Document) -> list[TextEdit]:
    """The places of a text step in one document, in order. A place that already is as the step wants it is none."""
    places = _FINDERS[step.kind](step, document)
    return [place for place in places if document.text[place.start : place.end] != place.text]


def explain(step: Step, documents: list[Document]) -> list[Candidate]:
    """What comes close to a place in documents where the number of places is wrong."""
    return _EXPLAINERS[step.kind](step, documents)


def _replace(step: Replace, document: Document) -> list[TextEdit]:
    if step.regex:
        return [TextEdit(m.start(), m.end(), m.expand(step.new)) for m in step.pattern().finditer(document.text)]
    found = re.finditer(re.escape(step.replace), document.text)
    return [TextEdit(match.start(), match.end(), step.new) for match in found]


def _near_replace(step: Replace, documents: list[Document]) -> list[Candidate]:
    found = {(d.path, d.line_of(place.start)) for d in documents for place in _replace(step, d)}
    wanted = step.replace
    if step.regex:
        wanted = " ".join(re.findall(r"[^\W\d]\w+", re.sub(r"\\[A-Za-z]|\(\?P?[<a-z]\w*[>)]?", " ", wanted)))
    return [near for near in closest_lines(documents, wanted) if (near.path, near.line) not in found]


def _blocks(step: CommentOut, document: Document) -> list[tuple[int, int]]:
    """First and last line of each block; one that is begun again before its last line begins at the later line."""
    first = step.block.first.strip()
    last = first if step.block.last is None else step.block.last.strip()
    out, begun = [], 0
    for number, line in enumerate(document.lines, 1):
        stripped = line.strip()
        if stripped == first and (last != first or step.block.last is None or not begun):
            begun = number
            if step.block.last is not None:
                continue
        if begun and stripped == last:
            out.append((begun, number))
            begun = 0
    return out


def _comment_out(step: CommentOut, document: Document) -> list[TextEdit]:
    blocks = _blocks(step, document)
    marker = step.block.marker or comment_marker(document.path, document.text)
    if not blocks or marker is None:
        return []
    out = []
    for first, last in blocks:
        lines = document.lines[first - 1 : last]
        indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
        then = [] if step.block.then is None else step.block.then.strip("\n").split("\n")
        new = [*comment_lines(lines, marker), *(indent + line if line.strip() else line for line in then)]
        out.append(document.line_range(first, last, "\n".join(new)))
    return out


def _near_comment_out(step: CommentOut, documents: list[Document]) -> list[Candidate]:
    out = []
    first, last = step.block.first.strip(), (step.block.last or "").strip()
    for document in documents:
        blocks = _blocks(step, document)
        if blocks and not (step.block.marker or comment_marker(document.path, document.text)):
            why = "no comment style is known for this kind of file; say `marker`"
            out += [Candidate(document.path, n, readable(document.lines[n - 1]), why) for n, _ in blocks]
            continue
        taken = {number for first, last in blocks for number in range(first, last + 1)}
        for number, line in enumerate(document.lines, 1):
            if line.strip() == first and number not in taken:
                why = f"begins a block, but {last!r} does not follow"
                out.append(Candidate(document.path, number, readable(line), why))
    return out or [near for text in filter(None, (first, last)) for near in closest_lines(documents, text)]


def _define(step: Define, document: Document) -> list[TextEdit]:
    return find_imports(document, step.define, step.definition)


def _near_define(step: Define, documents: list[Document]) -> list[Candidate]:
    out = [
        Candidate(document.path, line, readable(document.lines[line - 1]), why)
        for document in documents
        for line, why in explain_imports(document, step.define)
    ]
    places = {(d.path, d.line_of(place.start)) for d in documents for place in _define(step, d)}
    return out or [near for near in closest_lines(documents, step.define) if (near.path, near.line) not in places]


def _set_line(step: SetLine, document: Document) -> list[TextEdit]:
    pattern = re.compile(step.before if step.regex else re.escape(step.before))
    numbers = range(1, len(document.lines) + 1) if step.at is None else range(step.at, step.at + 1)
    out = []
    for number in numbers:
        if number <= len(document.lines) and (match := pattern.fullmatch(document.lines[number - 1])):
            out.append(document.line_range(number, number, match.expand(step.to) if step.regex else step.to))
    return out


def _near_set_line(step: SetLine, documents: list[Document]) -> list[Candidate]:
    out = []
    pattern = re.compile(step.before if step.regex else re.escape(step.before))
    for document in documents:
        for number, line in enumerate(document.lines, 1):
            if step.at == number and not pattern.fullmatch(line):
                out.append(Candidate(document.path, number, readable(line), "is what this line says"))
            elif step.at not in (None, number) and pattern.fullmatch(line):
                out.append(Candidate(document.path, number, readable(line), f"is another line than {step.at}"))
            elif step.at is None and not step.regex and line != step.before and line.strip() == step.before.strip():
                out.append(Candidate(document.path, number, readable(line), "differs in the white space around it"))
        if step.at is not None and step.at > len(document.lines):
            out.append(Candidate(document.path, 0, "", f"has {len(document.lines)} lines"))
    return out or closest_lines(documents, step.before)


_FINDERS: dict[str, Callable[[Any, Document], list[TextEdit]]] = {
    Replace.kind: _replace,
    CommentOut.kind: _comment_out,
    Define.kind: _define,
    SetLine.kind: _set_line,
}
_EXPLAINERS: dict[str, Callable[[Any, list[Document]], list[Candidate]]] = {
    Replace.kind: _near_replace,
    CommentOut.kind: _near_comment_out,
    Define.kind: _near_define,
    SetLine.kind: _near_set_line,
}
