"""A registry's answer with its small body."""

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portside.common.url import without_secrets
from portside.errors import RegistryError
from portside.net.bounded import AnswerError, body_of

if TYPE_CHECKING:
    import httpx

LARGEST_MANIFEST = 4 << 20
"""Bytes; the size that the distribution-spec tells registries to accept at least, and most to accept at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with its (small) body."""

    status: int
    headers: "httpx.Headers"
    body: bytes
    url: "httpx.URL"


def answer_of(response: "httpx.Response") -> Answer:
    """Read a small body; no registry makes us hold more than a manifest may have."""
    try:
        body = body_of(response, LARGEST_MANIFEST)
    except AnswerError as error:
        raise RegistryError(f"{response.url.host}: {error}") from None
    return Answer(response.status_code, response.headers, body, response.url)


def errors_of(answer: Answer) -> list[tuple[str, str]]:
    """(code, message) of the errors that a registry tells (distribution-spec, "Error codes")."""
    try:
        rows = [
            (str(row.get("code", "")), str(row.get("message", ""))) for row in json.loads(answer.body)["errors"][:5]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return [(code, re.sub(r"\s+", " ", without_secrets(message))[:200]) for code, message in rows]
