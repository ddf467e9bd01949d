"""Vendor mode: the bytes that the vendor's converter (torch_gpu2mlu.py of Cambricon/catch) writes.

What it does, and what follows from that for bytes:
- It opens every `*.py` as text in UTF-8 with universal newlines: `\r\n` and `\r` become `\n`; nothing else ends
  a line, so form feeds and U+2028 stay inside theirs. A BOM is an ordinary character.
- The first line that is `import torch` and white space (Unicode's, so U+00A0 counts and a BOM does not) is
  written twice, the second time with `torch_mlu`. Where the file ends with it and no newline follows, both
  stand on one line: the vendor's converter writes that too.
- In every other line substrings are replaced, one pair after the other, whatever they are part of.
- Bytes that are not UTF-8 end the vendor's program in the middle of the tree; here that file is left as it was.
"""

import re
from collections.abc import Sequence

from portside.migrate.report.hits import FileReport, Hit, RuleInfo

IMPORT_RULE = "vendor-import"
TEXT_RULE = "vendor-text"
ENCODING_RULE = "vendor-encoding"

_IMPORT = re.compile(rb"import torch(?!_)")


def migrate_text(
    path: str, data: bytes, pairs: Sequence[tuple[str, str]], module: str
) -> tuple[bytes, FileReport | None]:
    """The migrated bytes of one Python file, and its report if there is anything to say.

    pairs: what is replaced by what, in this order. module: imported after torch.
    """
    old = [(before.encode(), after.encode()) for before, after in pairs]
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not UTF-8; the vendor's converter stops here with an error"
        return data, FileReport(path, "left", [Hit("needs-person", ENCODING_RULE, 0, 0, path, "", "")], reason)
    text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    imports = _IMPORT.search(text) is not None
    if not imports and not any(before in text for before, _ in old):
        return text, _newlines_only(path, data, text)
    out: list[bytes] = []
    hits: list[Hit] = []
    wants_import = imports
    for number, line in enumerate(_lines(text), 1):
        if wants_import and b"import torch" in line and line.decode().strip() == "import torch":
            wants_import = False
            added = line.replace(b"torch", module.encode())
            out += (line, added)
            place = number + 1 if line.endswith(b"\n") else number
            hits.append(Hit("rewritten", IMPORT_RULE, number, 0, module, "", added.decode().strip(), place))
            continue
        new = line
        for before, after in old:
            new = new.replace(before, after)
        out.append(new)
        if new != line:
            shown = line.decode().strip(), new.decode().strip()
            hits.append(Hit("rewritten", TEXT_RULE, number, 0, "", *shown, len(out)))
    return b"".join(out), FileReport(path, "edited", hits) if hits else _newlines_only(path, data, text)


def _newlines_only(path: str, data: bytes, text: bytes) -> FileReport | None:
    return FileReport(path, "edited", reason="only its line ends became newlines") if data != text else None


def _lines(text: bytes) -> list[bytes]:
    """Lines with their ends, split at newlines only."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


RULES = {
    IMPORT_RULE: RuleInfo("import of the device's module", "added after the first line that is `import torch`"),
    TEXT_RULE: RuleInfo("text replaced", "every occurrence in a line, whatever it is part of"),
    ENCODING_RULE: RuleInfo(
        "not UTF-8",
        "the vendor's converter stops here with an error and leaves the rest of the tree undone",
        "Convert the file to UTF-8 first, or use precise mode, which reads declared encodings.",
    ),
}
