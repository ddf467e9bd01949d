"""Simple indexes, find-links and folders: which files of a package there are, and where.

Formats: PEP 503 (HTML), PEP 691 and PEP 700 (JSON, with sizes). The places are the machine's own: portside.toml's
mirrors or pip's configuration. Nothing of them gets into a result but the location itself.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urldefrag, urljoin

from portside.common.url import SecretUrl, may_lead, redact, secrets_of, shown, with_login
from portside.common.values import FileName, Place, Sha256, Size, told
from portside.config import Config
from portside.errors import InputError
from portside.inputs.python.bindings import Bound
from portside.inputs.python.file_names import name_of
from portside.net.bounded import LARGEST_ANSWER, AnswerError, body_of, from_json
from portside.net.client import NO_URL, RedirectError, get
from portside.net.pip_settings import PipSettings, read_pip_settings
from portside.net.transfer import path_of

if TYPE_CHECKING:
    import httpx

_HEADERS = {
    "Accept": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1",
    "Accept-Encoding": "gzip",
}
_PAUSES = (0.5, 2.0)
MOST_LINKS = 200_000
"""Files of one package; the largest index has some thousands."""
LONGEST_TAG = 16 << 10
_TAG_BEGIN = re.compile(rb"<(?:a|base)\s", re.IGNORECASE)
_TAG_END = re.compile(rb"""(?:[^>"']|"[^"]*"|'[^']*')*>""")


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that some place offers. place: path or URL without fragment. sha256, size, python (the versions of Python
    that it is for, such as >=3.8): if the place says them.

    flaw: what the place says that cannot be, as a sentence; "" for most. Whoever would take the file has to refuse it:
    it is none that comes without a hash.
    """

    file: FileName
    place: Place
    sha256: Sha256 | None = None
    size: Size | None = None
    yanked: bool = False
    flaw: str = ""
    python: str | None = None


def offer_of(
    page: str,
    file: object,
    place: object,
    sha256: object = None,
    size: object = None,
    yanked: bool = False,
    python: object = None,
) -> Offer | None:
    """A row of a page as an offer; None where its names are none of a wheel or an sdist that anybody could fetch.

    page: where the row stands. What another machine says names no file of this one.
    """
    try:
        name, where = FileName(file), Place(place)
    except ValueError:
        return None
    needed = python if isinstance(python, str) else None
    try:
        if is_remote(page) and not is_remote(where):
            raise InputError(f"it is said to be at {shown(where)}, on this machine")
        # Some indexes write hashes in capitals.
        digest = sha256.lower() if isinstance(sha256, str) else sha256
        known = None if digest is None else told(Sha256, digest, "its sha256")
        bytes_ = None if size is None else told(Size, size, "its size")
        return Offer(name, where, known, bytes_, yanked, python=needed)
    except InputError as error:
        flaw = f"{shown(page or where)}, {name}: {error.problem}"
        return Offer(name, where, yanked=yanked, flaw=flaw, python=needed)


def is_remote(place: str) -> bool:
    return place.lower().startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class _Source:
    """A simple index, or a find-links page or folder."""

    place: str
    index: bool


def default_index() -> SecretUrl:
    """The index that Python's tools ask if nobody configured another."""
    from unearth import PackageFinder

    return SecretUrl(PackageFinder().sources[0]["url"])


def indexes_and_links(settings: PipSettings, config: Config) -> tuple[tuple[SecretUrl, ...], tuple[SecretUrl, ...]]:
    """The indexes, most important first, and the find-links that count for resolving."""
    if config.mirrors.pypi:
        return config.mirrors.pypi, ()
    if settings.no_index:
        return (), settings.find_links
    return (settings.index or default_index(), *settings.extra_indexes), settings.find_links


def offers(
    package: str, config: Config, everything: bool = False, bound: Bound | None = None
) -> tuple[list[Offer], list[str]]:
    """What places offer of a package, in their order, and a line for each place that could not be asked.

    Of several indexes only the first that has the name counts: one further down must not slip in a newer release. One
    that does not answer may have it, so those behind it are not asked. everything: ask all of them, and what pip's
    configuration says where portside.toml names mirrors; used to find known bytes. bound: the one place that is asked,
    beside the folders of portside.toml.
    """
    from packaging.utils import canonicalize_name

    name = canonicalize_name(package)
    found: list[Offer] = []
    failures: list[str] = []
    decided = False
    for source in _sources(config, everything, bound):
        if source.index and decided:
            continue
        place = f"{source.place.rstrip('/')}/{name}/" if source.index else source.place
        try:
            here = [offer for offer in _read(place, source.index) if name_of(offer.file) == name]
        except InputError as error:
            failures.append(f"  {error.problem}")
            decided = not everything and source.index
            continue
        found += here
        decided = decided or (bool(here) and source.index and not everything)
    return found, failures


def _sources(config: Config, everything: bool, bound: Bound | None) -> list[_Source]:
    own = [_Source(str(folder), index=False) for folder in config.folder_paths]
    if bound is not None:
        return [_Source(bound.place.full, index=not bound.page), *own]
    settings = read_pip_settings()
    indexes, links = indexes_and_links(settings, config)
    if everything and config.mirrors.pypi:
        further, links = indexes_and_links(settings, config.model_copy(update={"mirrors": type(config.mirrors)()}))
        indexes += further
    return [
        *(_Source(url.full, index=True) for url in indexes),
        *(_Source(place.full, index=False) for place in links),
        *own,
    ]


def _read(place: str, index: bool) -> Iterator[Offer]:
    if place.startswith(("http://", "https://")):
        yield from _read_page(place)
        return
    path = path_of(place) if place.startswith("file://") else Path(os.path.expanduser(place))
    page = path / "index.html" if index else path
    if page.is_dir():
        files = sorted(file for file in page.iterdir() if file.is_file())
        yield from _usable(offer_of(place, file.name, str(file), size=file.stat().st_size) for file in files)
    elif page.suffix in (".html", ".htm") and page.is_file():
        with page.open("rb") as stream:
            content = stream.read(LARGEST_ANSWER + 1)
        if len(content) > LARGEST_ANSWER:
            raise InputError(f"{page}: it has more than {LARGEST_ANSWER} bytes")
        yield from _from_html(page.absolute().as_uri(), content, None)
    elif page.is_file():
        yield from _usable([offer_of(place, page.name, str(page), size=page.stat().st_size)])


def _usable(offers: Iterable[Offer | None]) -> Iterator[Offer]:
    return (offer for offer in offers if offer is not None)


def _read_page(url: str) -> Iterator[Offer]:
    import httpx

    for pause in (*_PAUSES, None):
        try:
            with get(url, _HEADERS) as response:
                content = body_of(response)
        except (RedirectError, AnswerError) as error:
            problem, lasting = str(error), True
        except (httpx.InvalidURL, UnicodeError):
            problem, lasting = NO_URL, True
        except httpx.HTTPError as error:
            problem = redact(str(error), secrets_of([url])) or type(error).__name__
            lasting = not isinstance(error, httpx.TimeoutException | httpx.RemoteProtocolError | httpx.ReadError)
        else:
            if response.status_code in (404, 410):
                return
            if response.is_success:
                page = with_login(str(response.url), [url])
                yield from _leading_on(page, _from_response(page, response, content))
                return
            problem = f"the server says {response.status_code} {response.reason_phrase}".rstrip()
            lasting = response.status_code < 500 and response.status_code != 429
        if lasting or pause is None:
            raise InputError(f"{shown(url)}: {problem}")
        time.sleep(pause)


def _leading_on(page: str, found: Iterable[Offer]) -> Iterator[Offer]:
    """What a page of the network offers: nothing of this machine, and nothing by http where the page came by https.

    Files of the page's own server are asked for with the page's credentials.
    """
    for offer in found:
        flaw = offer.flaw
        if not flaw and not may_lead(page, offer.place):
            scheme = page.partition(":")[0]
            flaw = f"{shown(page)}: it leads from {scheme} to {shown(offer.place)}, which is refused"
        yield replace(offer, place=Place(with_login(offer.place, [page])), flaw=flaw)


def _from_response(page: str, response: "httpx.Response", content: bytes) -> Iterator[Offer]:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not kind.endswith("+json"):
        yield from _from_html(page, content, response.charset_encoding)
        return
    yield from _from_json(page, content)


def _from_json(page: str, content: bytes) -> Iterator[Offer]:
    try:
        rows = [
            offer_of(
                page,
                file["filename"],
                urldefrag(urljoin(page, file["url"])).url,
                file.get("hashes", {}).get("sha256"),
                file.get("size"),
                bool(file.get("yanked")),
                file.get("requires-python"),
            )
            for file in from_json(content)["files"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{shown(page)}: not the JSON of a simple index") from None
    yield from _usable(rows)


def _from_html(url: str, content: bytes, encoding: str | None) -> Iterator[Offer]:
    from unearth.collector import IndexPage, parse_html_page
    from unearth.link import Link

    try:
        rows = []
        for link in parse_html_page(IndexPage(Link(url), _tags(content), encoding, "text/html")):
            place, fragment = urldefrag(link.url)
            said = parse_qs(fragment, keep_blank_values=True).get("sha256", [None])[0]
            rows.append(offer_of(url, link.filename, place, said, None, link.is_yanked, link.requires_python))
    except (ValueError, LookupError, AssertionError):
        raise InputError(f"{shown(url)}: not the HTML of a simple index") from None
    yield from _usable(rows)


def _tags(page: bytes) -> bytes:
    """The links of a page and where they are relative to, all that is looked at: each tag whole and in one piece.

    The standard library's parser looks at the rest of the page anew for each tag that has no end. Raises ValueError
    for more than MOST_LINKS.
    """
    first, *commented = page.split(b"<!--")
    shown_parts = [first, *(part.partition(b"-->")[2] for part in commented)]
    tags: list[bytes] = []
    for part in shown_parts:
        at = 0
        while begin := _TAG_BEGIN.search(part, at):
            end = _TAG_END.match(part, begin.end(), begin.end() + LONGEST_TAG)
            if end is None and begin.end() + LONGEST_TAG < len(part):
                raise ValueError("a tag without an end")
            at = end.end() if end is not None else len(part)
            tags += [part[begin.start() : at]] if end is not None else []
        if len(tags) > MOST_LINKS:
            raise ValueError("too many links")
    return b"x</a>".join([*tags, b""])
