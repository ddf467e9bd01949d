"""Wheels of vendors: what they say of themselves, where their name is none of a wheel, or says something else.

Name and version stand in DIST-INFO/METADATA, the tags in DIST-INFO/WHEEL (PyPA, "Binary distribution format"); both
are headers as those of a mail.
"""

import re
from contextlib import suppress
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from pathlib import Path
from typing import NamedTuple

from portside.common.values import FileName, Word
from portside.errors import InputError
from portside.inputs import archives
from portside.inputs.python.file_names import wheel_version

_TAG = re.compile(r"[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+")
_LARGEST = 4 << 20
"""Bytes of METADATA; those of the largest packages have some 100,000."""
_REMEDY = "Ask its vendor for another one, or install it by a command of `install`."


class VendorWheel(NamedTuple):
    """name: normalised (PEP 503). version: PEP 440. named: the file name that says them, and the tags; None where the
    wheel's own does."""

    name: Word
    version: Word
    named: FileName | None


def vendor_wheel(path: Path | None, file: str) -> VendorWheel:
    """What a wheel is: what it says itself where it can be read, else what its name says.

    path: None where nobody has it yet. file: its name. Raises InputError where the name says nothing, and neither does
    the content.
    """
    from packaging.version import Version

    named = wheel_version(file)
    if named is None:
        if path is None:
            raise InputError(f"{file} is not here, and its name says no version as PEP 440 has it", _REMEDY)
        return _said(path, file)
    with suppress(InputError):
        if path is not None:
            said = _said(path, file)
            if (said.name, Version(said.version)) != named:
                return said  # pip refuses a wheel whose name says another version than it does itself
    return VendorWheel(Word(named[0]), Word(str(named[1])), None)


def _said(path: Path, file: str) -> VendorWheel:
    """What a wheel says of itself. file: what messages call it.

    Raises InputError where it is no wheel, or says nothing that pip takes.
    """
    from packaging.utils import InvalidName, canonicalize_name
    from packaging.version import InvalidVersion, Version

    metadata, wheel = _headers(path, file, "METADATA"), _headers(path, file, "WHEEL")
    try:
        name = canonicalize_name(str(metadata.get("Name", "")).strip(), validate=True)
    except InvalidName:
        raise InputError(f"{file}: its METADATA has no name as packages have it", _REMEDY) from None
    said = str(metadata.get("Version", "")).strip()
    try:
        version = str(Version(said))
    except InvalidVersion:
        raise InputError(f"{file}: its METADATA has no version as PEP 440 has it, but {said!r}", _REMEDY) from None
    tags = [str(tag).strip() for tag in wheel.get_all("Tag", [])]
    if not tags or not all(_TAG.fullmatch(tag) for tag in tags):
        raise InputError(f"{file}: its WHEEL has no tags, such as 'py3-none-any'", _REMEDY)
    columns = [".".join(sorted(set(column))) for column in zip(*(tag.split("-") for tag in tags), strict=True)]
    named = "-".join([name.replace("-", "_"), version, *columns]) + ".whl"
    try:
        return VendorWheel(Word(name), Word(version), FileName(named))
    except ValueError as error:
        raise InputError(f"{file}: its name, version and tags make no file name: {error}", _REMEDY) from None


def _headers(path: Path, file: str, member: str) -> Message:
    found = archives.wheel_members(path, [f"*.dist-info/{member}"], file)
    if len(found) != 1:
        raise InputError(f"{file} is no wheel: it has {len(found)} files *.dist-info/{member}, not one", _REMEDY)
    [(name, size)] = found
    if size > _LARGEST:
        raise InputError(f"{file}: its {member} has {size} bytes, {_LARGEST} are the most", _REMEDY)
    with archives.open_member(path, name, file).open() as stream:
        return BytesParser(policy=compat32).parsebytes(stream.read(), headersonly=True)
