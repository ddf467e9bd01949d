"""Reading unified diffs: what `diff -u`, `git diff` and `git format-patch` write.

Format: POSIX `diff -u` with git's extended headers (git-diff(1), "generating patch text with -p"). Text before the
first file and between files is passed over; a hunk whose lines do not add up to its header is an error, never a guess.
A file may be a series, as `git format-patch --stdout` writes it: mails one after the other (git-format-patch(1)), each
with a diff to what the one before it left.
"""

import re
from dataclasses import dataclass, field

from portside.common.tree import check_path, decode_path
from portside.errors import InputError, RecipeError
from portside.patches.document import readable

_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_MODES = {b"100644": 0o644, b"100755": 0o755}
_EXTENDED = re.compile(
    rb"(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to) (.*)"
    rb"|(?:similarity|dissimilarity) index .*|index .*"
)
_MAIL = re.compile(rb"From [0-9a-f]{40} .*|# HG changeset patch\r?")
"""The first line of a commit's mail, and of what Mercurial exports."""
_PROPERTIES = re.compile(rb"Property changes on: .*")
"""What Subversion says behind a diff: only words follow, until the next file."""
_NEVER = re.compile(rb"(1970-01-01|1969-12-31) |.*\(nonexistent\)")
"""The time that `diff -N` gives a file which is not there, in any zone, and what Subversion says of one."""
_LONGEST_NAMES = 2 * 4096 + 64
"""Bytes of two paths with their prefixes and a blank; each blank may be the one between them."""
_ESCAPES = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13, b'"': 34, b"\\": 92}


@dataclass(slots=True)
class Hunk:
    """line: of its header in the diff. start: the stated first line of the old side (the line before it if that side
    is empty). lines: (b" ", b"-" or b"+", text without its LF, whether an LF follows). empties: whether
    nothing is left where it is the only one."""

    line: int
    start: int
    lines: list[tuple[bytes, bytes, bool]] = field(default_factory=list)
    empties: bool = False

    def old(self) -> list[tuple[bytes, bool]]:
        return [(text, ended) for sign, text, ended in self.lines if sign != b"+"]

    def new(self) -> list[tuple[bytes, bool]]:
        return [(text, ended) for sign, text, ended in self.lines if sign != b"-"]


@dataclass(slots=True)
class FileDiff:
    """line: where it starts in the diff. old, new: paths without the stripped parts, None for /dev/null.
    link: "rename", "copy" or "". Modes are permission bits, None where the diff does not say.
    part: of a series, from 0. may_be_new: there need be no file before, though the diff names one, as `diff -N` and svn
    do for a new file. never_after: it says so of the file afterwards."""

    line: int
    old: str | None = None
    new: str | None = None
    named: bool = False
    link: str = ""
    old_mode: int | None = None
    new_mode: int | None = None
    created: bool = False
    deleted: bool = False
    crlf: bool = False
    part: int = 0
    may_be_new: bool = False
    never_after: bool = False
    hunks: list[Hunk] = field(default_factory=list)


def parse_diff(data: bytes, name: str, strip: int) -> list[FileDiff]:
    """The files of a diff. name: for errors. Raises RecipeError for anything that is not exactly understood,
    hostile paths (absolute, `..`), binary patches, links and submodules included."""
    return _Parser(data, name, strip).parse()


class _Parser:
    def __init__(self, data: bytes, name: str, strip: int) -> None:
        self.lines = data.split(b"\n")
        self.ended = not self.lines[-1]
        if self.ended:
            self.lines.pop()
        self.name = name
        self.strip = strip
        self.at = 0
        self.part = 0
        self.mail = self.prose = False
        self.files: list[FileDiff] = []

    def parse(self) -> list[FileDiff]:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            following = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else b""
            if line.startswith(b"diff --git "):
                self._git_header()
            elif line.startswith(b"--- ") and following.startswith(b"+++ "):
                self._names(line, following)
            elif _MAIL.fullmatch(line):
                self.part += bool(self.files)
                self.mail = self.prose = True
                self.at += 1
            elif self.prose or (self.mail and line.rstrip(b"\r") == b"-- ") or _PROPERTIES.fullmatch(line):
                self.prose = True  # a mail's signature is the last of its diff
                self.at += 1
            elif line.startswith(b"@@ -"):
                self._hunk()
            elif line.startswith((b"GIT binary patch", b"Binary files ")):
                raise self._error("is a binary patch", "Use a copy step for binary files.")
            elif line[:1] in (b" ", b"+", b"-") and line.rstrip() != b"--" and self.files and self.files[-1].hunks:
                raise self._error("the hunk before has more lines than its header says")
            else:
                self.at += 1
        self._check()
        return self.files

    def _git_header(self) -> None:
        line = self.lines[self.at]
        file = FileDiff(self.at + 1, crlf=line.endswith(b"\r"), part=self.part)
        self.prose = False
        names = line[len(b"diff --git ") :].rstrip(b"\r")
        self.files.append(file)
        links: dict[bytes, str] = {}
        self.at += 1
        while self.at < len(self.lines) and (found := _EXTENDED.fullmatch(self.lines[self.at].rstrip(b"\r"))):
            key, value = found.group(1), found.group(2)
            if key is not None and key.endswith(b"mode"):
                if value not in _MODES:
                    raise self._error(f"has the mode {value.decode('latin-1')}; only plain files can be patched")
                if key in (b"old mode", b"deleted file mode"):
                    file.old_mode = _MODES[value]
                else:
                    file.new_mode = _MODES[value]
                file.created |= key == b"new file mode"
                file.deleted |= key == b"deleted file mode"
            elif key is not None:
                links[key] = self._path(value, max(0, self.strip - 1))
            self.at += 1
        for link in ("rename", "copy"):
            if f"{link} from".encode() in links and f"{link} to".encode() in links:
                file.link, file.named = link, True
                file.old, file.new = links[f"{link} from".encode()], links[f"{link} to".encode()]
        following = self.lines[self.at : self.at + 1]
        if not file.named and not (following and following[0].startswith(b"--- ")):
            # Only a mode, or an empty file: the one line that names it is ambiguous unless both names agree.
            path = self._same_name(names)
            file.named = True
            file.old, file.new = None if file.created else path, None if file.deleted else path

    def _same_name(self, names: bytes) -> str:
        if len(names) > _LONGEST_NAMES:
            raise self._error("names a file longer than any file system takes")
        if names.startswith(b'"'):
            cut = names.find(b'" ') + 1
            halves = [(names[:cut], names[cut + 1 :])] if cut else []
        else:
            halves = [(names[: m.start()], names[m.end() :]) for m in re.finditer(b" ", names)]
        for left, right in halves:
            if left.split(b"/")[self.strip :] == right.split(b"/")[self.strip :] != []:
                return self._path(left, self.strip)
        raise self._error("does not say which file it is about")

    def _names(self, old: bytes, new: bytes) -> None:
        self.prose = False
        if not self.files or self.files[-1].hunks or (self.files[-1].named and not self.files[-1].link):
            self.files.append(FileDiff(self.at + 1, part=self.part, may_be_new=True))
        file = self.files[-1]
        file.crlf = old.endswith(b"\r")
        before, after = self._name(old[4:]), self._name(new[4:])
        if file.link and (before, after) != (file.old, file.new):
            raise self._error(f"names other files than its lines '{file.link} from' and '{file.link} to'")
        if not file.link and before is not None and after is not None and before != after:
            raise self._error(
                f"is about two files, {readable(before)} and {readable(after)}",
                "Set `strip` so that both have one name; a rename needs git's lines 'rename from' and 'rename to'.",
            )
        file.never_after = file.may_be_new and _NEVER.match(new.partition(b"\t")[2]) is not None
        file.old, file.new, file.named = before, after, True
        self.at += 2

    def _name(self, value: bytes) -> str | None:
        value = value.rstrip(b"\r")
        if not value.startswith(b'"'):
            value = value.partition(b"\t")[0]
        return None if value == b"/dev/null" else self._path(value, self.strip)

    def _path(self, value: bytes, strip: int) -> str:
        value = value.rstrip(b"\r")
        if value.startswith(b'"'):
            end = re.match(rb'"((?:[^"\\]|\\.)*)"', value)
            if end is None:
                raise self._error("has a quoted path without its end")
            value = re.sub(rb"\\([0-7]{3}|.)", _unescape, end.group(1))
        path = decode_path(value)
        try:
            parts = check_path(path).split("/")
        except InputError:
            raise self._error(f"has the path {readable(path)!r}, which is not a clean path below the root") from None
        if len(parts) <= strip:
            raise self._error(f"has the path {readable(path)!r}, of which nothing is left without {strip} parts")
        return "/".join(parts[strip:])

    def _hunk(self) -> None:
        found = _HUNK.match(self.lines[self.at])
        if found is None:
            raise self._error("is no valid hunk header")
        if not self.files or not self.files[-1].named:
            raise self._error("is a hunk before any file is named")
        file = self.files[-1]
        old, new = (1 if count is None else int(count) for count in found.group(2, 4))
        hunk = Hunk(self.at + 1, int(found.group(1)), empties=found.group(3, 4) == (b"0", b"0"))
        file.hunks.append(hunk)
        self.at += 1
        while old or new or self._marker():
            if self._marker():
                if not hunk.lines:
                    raise self._error("says 'No newline' of no line")
                sign, text, _ = hunk.lines[-1]
                hunk.lines[-1] = (sign, text, False)
                self.at += 1
                continue
            if self.at >= len(self.lines):
                raise self._error("ends before its last hunk does")
            line = self.lines[self.at]
            if file.crlf:
                line = line.removesuffix(b"\r")
            sign, text = line[:1] or b" ", line[1:]  # an editor may have removed the blank of an empty line
            old, new = old - (sign in b" -"), new - (sign in b" +")
            if sign not in (b" ", b"-", b"+") or old < 0 or new < 0:
                raise self._error("does not fit the header of its hunk")
            hunk.lines.append((sign, text, True))
            self.at += 1
        if not any(sign != b" " for sign, _, _ in hunk.lines):
            raise self._error("ends a hunk that changes nothing")
        for side in (hunk.old(), hunk.new()):
            if not all(ended for _, ended in side[:-1]):
                raise self._error("ends a hunk with 'No newline' of a line that is not the last")

    def _marker(self) -> bool:
        return self.at < len(self.lines) and self.lines[self.at].startswith(b"\\ ")

    def _check(self) -> None:
        if not self.files:
            raise RecipeError(f"{self.name} is no unified diff", "Make it with `git diff` or `diff -u`.")
        targets: set[tuple[int, str]] = set()
        for file in self.files:
            self.at = file.line - 1
            if file.never_after and len(file.hunks) == 1 and file.hunks[0].empties:
                file.new = None
            file.may_be_new &= len(file.hunks) == 1 and not file.hunks[0].old() and file.hunks[0].start == 0
            if file.old is None and file.new is None:
                raise self._error("names no file")
            if not file.hunks and not (file.link or file.created or file.deleted or file.new_mode is not None):
                raise self._error("changes nothing")
            if (file.created and file.old is not None) or (file.deleted and file.new is not None):
                raise self._error("creates or deletes a file by its mode, but not by its names")
            for path in dict.fromkeys([file.new] if file.link == "copy" else [file.old, file.new]):
                if path is not None and (file.part, path) in targets:
                    raise self._error(f"changes {readable(path)} a second time", "Make two diffs and two steps of it.")
                if path is not None:
                    targets.add((file.part, path))

    def _error(self, problem: str, solution: str | None = None) -> RecipeError:
        return RecipeError(
            f"{self.name}:{min(self.at + 1, max(1, len(self.lines)))}: {problem}",
            solution or "Make the diff again with `git diff` or `diff -u`; do not edit it by hand.",
        )


def _unescape(found: re.Match[bytes]) -> bytes:
    value = found.group(1)
    return bytes([int(value, 8) & 255 if len(value) == 3 else _ESCAPES.get(value, value[0])])
