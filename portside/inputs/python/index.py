"""Simple indexes, find-links and folders: which files of a package there are, and where.

Formats: PEP 503 (HTML), PEP 691 and PEP 700 (JSON, with sizes). The places are the machine's own: portside.toml's
mirrors or pip's configuration. Nothing of them gets into a result but the location itself.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from portside.config import Config
from portside.errors import InputError
from portside.inputs.client import credentials, http_client
from portside.inputs.pip_settings import PipSettings, read_pip_settings
from portside.inputs.python.names import name_of
from portside.inputs.transfer import path_of, shown

if TYPE_CHECKING:
    import httpx

_HEADERS = {
    "Accept": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1",
    "Accept-Encoding": "gzip",
}
_PAUSES = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that some place offers. place: path or URL without fragment. sha256, size: if the place says them."""

    file: str
    place: str
    sha256: str | None = None
    size: int | None = None
    yanked: bool = False


@dataclass(frozen=True, slots=True)
class _Source:
    """A simple index, or a find-links page or folder."""

    place: str
    index: bool


def default_index() -> str:
    """The index that Python's tools ask if nobody configured another."""
    from unearth import PackageFinder

    return PackageFinder().sources[0]["url"]


def indexes_and_links(settings: PipSettings, config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The indexes, most important first, and the find-links that count for resolving."""
    if config.mirrors.pypi:
        return config.mirrors.pypi, ()
    if settings.no_index:
        return (), settings.find_links
    return (settings.index or default_index(), *settings.extra_indexes), settings.find_links


def offers(package: str, config: Config, everything: bool = False) -> tuple[list[Offer], list[str]]:
    """What all places offer of a package, in their order, and a line for each place that could not be asked.

    everything: also ask what pip's configuration says where portside.toml names mirrors; used to find known bytes.
    """
    from packaging.utils import canonicalize_name

    name = canonicalize_name(package)
    found: list[Offer] = []
    failures: list[str] = []
    for source in _sources(config, everything):
        place = f"{source.place.rstrip('/')}/{name}/" if source.index else source.place
        try:
            found += [offer for offer in _read(place, source.index) if name_of(offer.file) == name]
        except InputError as error:
            failures.append(f"  {error.problem}")
    return found, failures


def _sources(config: Config, everything: bool) -> list[_Source]:
    settings = read_pip_settings()
    indexes, links = indexes_and_links(settings, config)
    if everything and config.mirrors.pypi:
        further, links = indexes_and_links(settings, config.model_copy(update={"mirrors": type(config.mirrors)()}))
        indexes += further
    return [
        *(_Source(url, index=True) for url in indexes),
        *(_Source(place, index=False) for place in links),
        *(_Source(str(folder), index=False) for folder in config.folders),
    ]


def _read(place: str, index: bool) -> Iterator[Offer]:
    if place.startswith(("http://", "https://")):
        yield from _read_page(place)
        return
    path = path_of(place) if place.startswith("file://") else Path(place).expanduser()
    page = path / "index.html" if index else path
    if page.is_dir():
        files = sorted(file for file in page.iterdir() if file.is_file())
        yield from (Offer(file.name, str(file), size=file.stat().st_size) for file in files)
    elif page.suffix in (".html", ".htm") and page.is_file():
        yield from _from_html(page.absolute().as_uri(), page.read_bytes(), None)
    elif page.is_file():
        yield Offer(page.name, str(page), size=page.stat().st_size)


def _read_page(url: str) -> Iterator[Offer]:
    import httpx

    for pause in (*_PAUSES, None):
        try:
            address = httpx.URL(url)
            response = http_client().get(address, headers=_HEADERS, auth=credentials(address))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            problem = str(error) or type(error).__name__
            lasting = not isinstance(error, httpx.TimeoutException | httpx.RemoteProtocolError | httpx.ReadError)
        else:
            if response.status_code in (404, 410):
                return
            if response.is_success:
                yield from _from_response(response)
                return
            problem = f"the server says {response.status_code} {response.reason_phrase}".rstrip()
            lasting = response.status_code < 500 and response.status_code != 429
        if lasting or pause is None:
            raise InputError(f"{shown(url)}: {problem}")
        time.sleep(pause)


def _from_response(response: "httpx.Response") -> Iterator[Offer]:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not kind.endswith("+json"):
        yield from _from_html(str(response.url), response.content, response.encoding)
        return
    try:
        files = json.loads(response.content)["files"]
        for file in files:
            yield Offer(
                file=str(file["filename"]),
                place=urljoin(str(response.url), file["url"]),
                sha256=file.get("hashes", {}).get("sha256"),
                size=file.get("size"),
                yanked=bool(file.get("yanked")),
            )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{shown(str(response.url))}: not the JSON of a simple index") from None


def _from_html(url: str, content: bytes, encoding: str | None) -> Iterator[Offer]:
    from unearth.collector import IndexPage, parse_html_page
    from unearth.link import Link

    try:
        links = list(parse_html_page(IndexPage(Link(url), content, encoding, "text/html")))
    except (ValueError, LookupError):
        raise InputError(f"{shown(url)}: not the HTML of a simple index") from None
    for link in links:
        hashes = {name: values[0] for name, values in (link.hash_option or {}).items()}
        yield Offer(link.filename, link.url_without_fragment, hashes.get("sha256"), None, link.is_yanked)
