"""URLs that may hold a password, token or signature, and texts that may quote such URLs: what of them may be shown.

Three things in a URL are secret: its userinfo (`user:password@`, a token as `TOKEN@`), parameters of its query or
fragment that sign or authorise a request, and the rest of it where a password was not escaped. The user name of an SSH
URL is none.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from posixpath import commonprefix
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote, unquote_plus

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

LONGEST_SHOWN = 120
HIDDEN = "***"

_URL = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]*)://(\S*)", re.DOTALL)
_PARAMETER = re.compile(r"(?<=[?&;#])([^=&;#\s]+)=([^&;#\s]+)")
_NAMES = re.compile(
    r"auth|authkey|authorization|hdn(ea|tl|ts)|jwt|key|pass(wd)?|pat|policy|pwd?|qak|sas|se|session(id)?|sig|sign|sv"
    r"|.*(accesskey(id)?|apikey|credentials?|keypairid|password|secret(key)?|signature|token)"
)
"""Names of parameters, in lower case and without anything but letters and digits: those of signed URLs of the large
object stores and content networks, and what interfaces call their tokens and passwords."""
_USER_IS_NO_SECRET = ("ssh", "git+ssh", "ssh+git", "sftp", "rsync")
_SHORTEST = 4
"""Characters of a secret that is looked for in any text; a shorter one would be found in every second word."""


@dataclass(frozen=True, slots=True, repr=False)
class SecretUrl:
    """A URL or path out of the machine's configuration that may hold a password. As text it is shown without.

    full: all of it, for whoever makes the request, and for nobody else.
    """

    full: str

    def __str__(self) -> str:
        return shown(self.full)

    def __repr__(self) -> str:
        return f"SecretUrl({shown(self.full)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> Any:
        from pydantic import AfterValidator, BeforeValidator, PlainSerializer

        as_text = BeforeValidator(lambda value: value.full if isinstance(value, cls) else value)
        return handler.generate_schema(Annotated[str, as_text, AfterValidator(cls), PlainSerializer(str)])


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A URL's userinfo, unescaped. password: None for a user (or token) alone."""

    user: str
    password: str | None


def split_login(url: str) -> tuple[str, UserInfo | None]:
    """A URL without its userinfo, and that; the user of an SSH URL stays in it. A path is given as it is."""
    match = _URL.fullmatch(url)
    if match is None:
        return url, None
    scheme, rest = match.groups()
    userinfo, rest = _split_userinfo(rest)
    if userinfo is None or _is_plain_user(scheme, userinfo):
        return url, None
    user, colon, password = userinfo.partition(":")
    return f"{scheme}://{rest}", UserInfo(unquote(user), unquote(password) if colon else None)


def with_login(url: str, others: Iterable[str]) -> str:
    """A URL with the userinfo that another one of the same scheme, host and port has; as it is without such a one.

    An index whose URL holds a password names its files by absolute URLs, which need the password too. Of several the
    one counts whose path is the most alike.
    """
    match = _URL.fullmatch(url)
    if match is None or _split_userinfo(match[2])[0] is not None:
        return url
    found = [(commonprefix([unquote(other), unquote(url)]), userinfo) for other, userinfo in _logins(url, others)]
    best = max(found, key=lambda pair: len(pair[0]), default=None)
    return f"{match[1]}://{best[1]}@{match[2]}" if best is not None else url


def _logins(url: str, others: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Those of the same origin without their userinfo, and that."""
    for other in others:
        known = _URL.fullmatch(other)
        userinfo, rest = _split_userinfo(known[2]) if known else (None, "")
        if known and userinfo and _origin(other) == _origin(url):
            yield f"{known[1]}://{rest}", userinfo


def may_lead(base: str, to: str) -> bool:
    """Whether what came from `base` (http or https) may send us to the URL `to`: never to a file or another scheme,
    and never from https to http."""
    allowed = {"http": ("http", "https"), "https": ("https",)}
    return _scheme(to) in allowed.get(_scheme(base), ())


def holds_secret(text: str) -> bool:
    """Whether a URL, or one in a text, has something that must not be published: see the module."""
    return any(True for word in text.split() for _ in _secrets(word))


def secrets_of(urls: Iterable[str]) -> frozenset[str]:
    """All that is secret in these URLs, each as it is written and unescaped."""
    return frozenset(text for url in urls for text in _secrets(url) if text)


def shown(place: str) -> str:
    """A place as a person may see it: no credentials, no query (it may hold a token), not too long."""
    if _URL.match(place):
        place = re.split(r"[?#]", without_secrets(place), maxsplit=1)[0]
    half = LONGEST_SHOWN // 2
    return place if len(place) <= LONGEST_SHOWN else f"{place[: half - 3]}…{place[-half:]}"


def without_secrets(text: str) -> str:
    """A text in which every URL has lost its userinfo and the values of its secret parameters."""
    return _URL.sub(_public, text)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """What a program said, without these secrets and without those of any URL in it."""
    for secret in sorted((s for s in set(secrets) if len(s) >= _SHORTEST), key=lambda s: (-len(s), s)):
        text = text.replace(secret, HIDDEN)
    return without_secrets(text)


def _public(match: "re.Match[str]") -> str:
    scheme, rest = match.groups()
    userinfo, after = _split_userinfo(rest)
    if userinfo is not None and not _is_plain_user(scheme, userinfo):
        rest = after
    head, mark, tail = _split_query(rest)
    tail = _PARAMETER.sub(lambda p: f"{p[1]}={HIDDEN}" if _is_secret(p[1]) else p[0], mark + tail)
    return f"{scheme}://{without_secrets(head)}{tail}"


def _secrets(url: str) -> Iterator[str]:
    match = _URL.search(url)
    scheme, rest = match.groups() if match else ("", url)
    userinfo, rest = _split_userinfo(rest) if match else (None, rest)
    if userinfo is not None and not _is_plain_user(scheme, userinfo):
        user, colon, password = userinfo.partition(":")
        secret = password if colon and password else user
        yield from (secret, unquote(secret))
    _, mark, tail = _split_query(rest)
    for name, value in _PARAMETER.findall(mark + tail):
        if _is_secret(name):
            yield from (value, unquote_plus(value))


def _split_userinfo(rest: str) -> tuple[str | None, str]:
    """What stands in front of the host, None without any, and all from the host on. rest: a URL behind its `//`.

    Somebody who forgot to escape a '/', '?' or '#' in a password has written what looks like a port without digits:
    then the userinfo ends at the last '@'.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    userinfo, at, _ = authority.rpartition("@")
    if at:
        return userinfo, rest[len(userinfo) + 1 :]
    _, colon, port = re.sub(r"^\[[^]]*\]", "", authority).partition(":")
    userinfo, at, host = rest.rpartition("@")
    if colon and at and not port.isdigit():
        return userinfo, host
    return None, rest


def _split_query(rest: str) -> tuple[str, str, str]:
    found = re.search(r"[?#]", rest)
    return (rest[: found.start()], found[0], rest[found.end() :]) if found else (rest, "", "")


def _is_plain_user(scheme: str, userinfo: str) -> bool:
    return scheme.lower() in _USER_IS_NO_SECRET and ":" not in userinfo


def _is_secret(parameter: str) -> bool:
    name = re.sub(r"[^a-z0-9]", "", unquote_plus(parameter).lower())
    return _NAMES.fullmatch(name) is not None


def _scheme(url: str) -> str:
    match = _URL.fullmatch(url)
    return match[1].lower() if match else ""


def _origin(url: str) -> tuple[str, str]:
    scheme = _scheme(url)
    match = _URL.fullmatch(url)
    host = re.split(r"[/?#]", _split_userinfo(match[2])[1] if match else "", maxsplit=1)[0].lower()
    return scheme, host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, "\0"))
