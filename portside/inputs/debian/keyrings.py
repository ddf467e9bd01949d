"""The fingerprints of the keys in a keyring file, read without gpg: OpenPGP packets (RFC 9580), armoured or not."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

_ARMOUR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*?[ \t]*\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)
_KEYS = (6, 14)
"""Packet types: a public key, a public subkey."""


def is_armoured(data: bytes) -> bool:
    return data.lstrip().startswith(b"-----BEGIN PGP")


def fingerprints(data: bytes) -> frozenset[str]:
    """The fingerprints, in upper-case hex, of all keys and subkeys in the bytes of a keyring.

    Nothing for what is no keyring; what follows a damaged packet is left out.
    """
    blocks = [data]
    if is_armoured(data):
        blocks = [_unarmoured(match[1]) for match in _ARMOUR.finditer(data)]
    return frozenset(_fingerprint(body) for block in blocks for tag, body in _packets(block) if tag in _KEYS and body)


def _unarmoured(text: bytes) -> bytes:
    lines = [line.strip() for line in text.splitlines()]
    try:
        # The line that begins with '=' is a checksum.
        return base64.b64decode(b"".join(line for line in lines if not line.startswith(b"=")), validate=True)
    except binascii.Error:
        return b""


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, body) of each packet (RFC 9580, 4.2)."""
    at = 0
    while at + 1 < len(data) and data[at] & 0x80:
        head, first = data[at], data[at + 1]
        if head & 0x40:
            tag = head & 0x3F
            width, size = (1, first) if first < 192 else (2, 0) if first < 224 else (5, 0)
            if width == 2 and at + 2 < len(data):
                size = ((first - 192) << 8) + data[at + 2] + 192
            elif width == 5:
                if first != 255:
                    return  # a length in parts, which no key has
                size = int.from_bytes(data[at + 2 : at + 6], "big")
        else:
            tag = head >> 2 & 0x0F
            if head & 3 == 3:
                return  # of no said length: the rest of the file
            width = 1 << (head & 3)
            size = int.from_bytes(data[at + 1 : at + 1 + width], "big")
        start = at + 1 + width
        at = start + size
        if at > len(data):
            return
        yield tag, data[start:at]


def _fingerprint(body: bytes) -> str:
    """RFC 9580, 5.5.4; of a version without a fingerprint of this kind: ''."""
    if body[0] == 4:
        digest = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest()
    elif body[0] in (5, 6):
        digest = hashlib.sha256(bytes([0x95 + body[0]]) + len(body).to_bytes(4, "big") + body).hexdigest()
    else:
        digest = ""
    return digest.upper()
