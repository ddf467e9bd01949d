"""One repository of a registry over HTTP (OCI distribution-spec 1.1): manifests, blobs, and the faults on the way."""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from portside.common.canonical import sha256_hex
from portside.common.oci import MANIFEST
from portside.common.url import may_lead, shown
from portside.common.values import Sha256, Size, Tag
from portside.errors import RegistryError
from portside.net.bounded import Patience, seconds_of
from portside.net.client import (
    CONNECT_SECONDS,
    MOST_REDIRECTS,
    RedirectError,
    is_lasting,
    new_client,
    redirect_target,
    same_origin,
)
from portside.net.proxies import Routing
from portside.registry.answer import LARGEST_MANIFEST, Answer, answer_of, errors_of
from portside.registry.auth import Authorizer, refused
from portside.registry.certificates import certificates
from portside.registry.hub import login_command
from portside.registry.reference import Repository, is_loopback

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try after a passing fault; a try that moved bytes starts the row anew."""

LONGEST_WAIT = 30.0

_UNREADABLE = (
    "Its own log says why. If it was ended in the middle of a push, push once more: that writes down anew what it lost."
)
SERVER_REMEDY = "Is its name right, and its server running?"

_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class PassingError(Exception):
    """A fault that may be gone at the next try. wait: seconds that the registry asks for. remedy: what helps if not,
    where that is another than for all faults. lasting: the kind of error that it is if it stays."""

    def __init__(
        self, reason: str, wait: float = 0.0, remedy: str | None = None, lasting: type[RegistryError] = RegistryError
    ) -> None:
        super().__init__(reason)
        self.wait = wait
        self.remedy = remedy
        self.lasting = lasting


class NotThereError(RegistryError):
    """A registry that knows no such manifest or blob."""


class UnreadableError(RegistryError):
    """A registry that answers, and cannot say what it has of a thing: one that was killed while it wrote that down has
    an empty record, and answers with status 500 until the thing is pushed once more."""


class Client:
    """Threads share one. sent, received: bytes of blobs that went through.

    pauses: see PAUSES; none: a fault is final. connect_seconds: how long to wait for a host that is silent.
    remedy: what a person can do where it does not answer.
    Every method raises RegistryError where the registry does not answer, refuses, or breaks the protocol.
    """

    def __init__(
        self,
        repository: Repository,
        *,
        pauses: Sequence[float] = PAUSES,
        connect_seconds: float = CONNECT_SECONDS,
        remedy: str = SERVER_REMEDY,
    ) -> None:
        self.repository = repository
        self.pauses = pauses
        self.sent = 0
        self.received = 0
        self._base: str | None = None
        self._remedy = remedy
        verify = certificates(repository.host)
        # A proxy could not reach what listens on this machine's loopback.
        proxies: dict[str, str] | None = {} if is_loopback(repository.host) else None
        self._http = new_client(Routing(verify, settings=proxies), connect_seconds)
        self._connect_seconds = connect_seconds
        self._auth = Authorizer(repository, self._ask_once)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def status(self) -> int:
        """What it says to somebody unknown: 200, 401 where it wants a login, others where it is no registry."""

        def attempt() -> int:
            with self._faults(), self._http.stream("GET", f"{self._url()}/v2/") as response:
                return response.status_code

        return self.patiently(attempt)

    # Manifests and small blobs

    def manifest(self, tag: Tag) -> bytes | None:
        """The OCI manifest of a tag, or None where the repository has none. Raises UnreadableError."""
        answer = self.ask("GET", f"manifests/{tag}", {"Accept": MANIFEST}, expect=(200, 404))
        if answer.status == 404:
            return None
        self._check_digest(answer.headers.get("Docker-Content-Digest", ""), answer.body, tag)
        return answer.body

    def document(self, wanted: str, accept: str) -> bytes:
        """An index or a manifest. wanted: a tag, or sha256:HEX.

        Raises NotThereError where the repository has none, RegistryError for bytes with another digest.
        """
        answer = self.ask("GET", f"manifests/{wanted}", {"Accept": accept}, expect=(200,))
        said = wanted if wanted.startswith("sha256:") else answer.headers.get("Docker-Content-Digest", "")
        self._check_digest(said, answer.body, wanted)
        return answer.body

    def _check_digest(self, said: str, body: bytes, wanted: str) -> None:
        if said.startswith("sha256:") and said != f"sha256:{sha256_hex(body)}":
            mark = "@" if wanted.startswith("sha256:") else ":"
            raise RegistryError(f"{self.repository}{mark}{wanted} is damaged: its bytes are not {said}")

    def put_manifest(self, name: Tag | str, data: bytes) -> bool:
        """Push a manifest under a tag, or its own digest (sha256:HEX); False where the registry lacks a blob that it
        names."""
        answer = self.ask("PUT", f"manifests/{name}", {"Content-Type": MANIFEST}, data, expect=(201, 400, 404))
        if answer.status == 201:
            return True
        if any(code in ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN") for code, _ in errors_of(answer)):
            return False
        raise self.unexpected(answer, f"take the manifest {name}")

    def small_blob(self, digest: Sha256, size: Size) -> bytes:
        """A config, verified. digest: sha256 hex."""
        if size > LARGEST_MANIFEST:
            raise RegistryError(f"{self.repository}: a config of {size} bytes is too large to be one")
        data = self.ask("GET", f"blobs/sha256:{digest}", expect=(200,)).body
        if sha256_hex(data) != digest:
            raise RegistryError(f"{self.repository}: the config sha256:{digest} is damaged")
        return data

    def has_blob(self, digest: Sha256) -> bool:
        """Whether it has a blob and says so. digest: sha256 hex."""
        try:
            return self.ask("HEAD", f"blobs/sha256:{digest}", expect=(200, 404)).status == 200
        except UnreadableError:
            return False

    def mount(self, digest: Sha256, source: str) -> bool:
        """Let the registry take a blob over from its repository `source`; False where it does not."""
        query = f"blobs/uploads/?mount=sha256:{digest}&from={source}"
        answer = self.ask("POST", query, {"Content-Length": "0"}, expect=(201, 202, 401, 403, 404))
        if answer.status == 202 and (location := answer.headers.get("Location")):
            self.ask("DELETE", self.join(answer.url, location), expect=range(200, 600))
        return answer.status == 201

    # Requests

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        *,
        expect: "Sequence[int] | range",
    ) -> Answer:
        """A small request, tried again after passing faults. path: below the repository, or a whole URL."""

        def attempt() -> Answer:
            with self.send(method, path, headers, lambda: content, expect=expect) as response:
                return answer_of(response)

        return self.patiently(attempt)

    @contextmanager
    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        content: Callable[[], "bytes | Iterator[bytes] | None"],
        *,
        expect: "Sequence[int] | range",
        patience: Patience | None = None,
    ) -> Iterator["httpx.Response"]:
        """One request, sent again only to log in; the response's body is still to be read.

        patience: how long the answer may take; default: METADATA_SECONDS. Raises PassingError for what another
        try may heal.
        """
        import httpx

        with self._faults():
            url = path if "://" in path else f"{self._url()}/v2/{self.repository.name}/{path}"
            what = f"{method} {shown(path).partition('?')[0]}"
            own = same_origin(httpx.URL(url), httpx.URL(self._url()))
            for _ in range(2):
                used = self._auth.header
                allowed = {"Authorization": used} if used and own else {}
                request = self._http.build_request(
                    method,
                    url,
                    headers={**(headers or {}), **allowed},
                    content=content(),
                    extensions={"timeout": (patience or Patience()).extension(self._connect_seconds)},
                )
                response = self._follow(request) if method in ("GET", "HEAD") else self._send(request)
                try:
                    # Only the registry itself may ask for the login, no place that it sends us to.
                    asks = own and same_origin(response.url, request.url)
                    if response.status_code == 401 and asks and self._auth.answer(response, used):
                        continue
                    self._check(response, expect, what)
                    yield response
                    return
                finally:
                    response.close()
            raise refused(self.repository, 401, what)

    def _send(self, request: "httpx.Request") -> "httpx.Response":
        return self._http.send(request, stream=True)

    def _follow(self, request: "httpx.Request") -> "httpx.Response":
        """The response after redirects; another scheme, host or port is sent no Authorization. Raises RedirectError."""
        for _ in range(MOST_REDIRECTS):
            response = self._send(request)
            target = redirect_target(response)
            if target is None:
                return response
            response.close()
            headers = request.headers.copy()
            headers.pop("Host", None)
            if not same_origin(target, request.url):
                headers.pop("Authorization", None)
            request = self._http.build_request(
                request.method, target, headers=headers, extensions={"timeout": request.extensions["timeout"]}
            )
        raise RedirectError(f"more than {MOST_REDIRECTS} redirects")

    def _ask_once(self, request: "httpx.Request") -> Answer:
        """The answer to a request to any host, as it comes."""
        request.extensions = {"timeout": Patience().extension(self._connect_seconds)}
        response = self._http.send(request, stream=True)
        try:
            return answer_of(response)
        finally:
            response.close()

    def patiently(self, attempt: Callable[[], T], position: Callable[[], int] = lambda: 0) -> T:
        """Repeat an attempt after passing faults. position: how far it is; progress makes up for a fault."""
        furthest, fruitless = position(), 0
        while True:
            try:
                return attempt()
            except PassingError as fault:
                if position() > furthest:
                    furthest, fruitless = position(), 0
                if fruitless >= len(self.pauses):
                    raise fault.lasting(
                        f"{self.repository.host}: {fault}" + (f", {fruitless + 1} times" if fruitless else ""),
                        fault.remedy or self._remedy,
                    ) from None
                time.sleep(max(self.pauses[fruitless], min(fault.wait, LONGEST_WAIT)))
                fruitless += 1

    def join(self, base: "httpx.URL", location: str) -> str:
        """Where a Location header leads; never from https to http on the same host (a proxy's frequent mistake).

        Raises RegistryError for one that leads to http on another host, or to another scheme, and for what is no URL.
        """
        import httpx

        try:
            url = base.join(location).copy_with(userinfo=b"")
        except (httpx.InvalidURL, ValueError):
            raise RegistryError(f"{self.repository.host} leads to something that is no URL") from None
        if base.scheme == "https" and url.scheme == "http" and url.host == base.host:
            url = url.copy_with(scheme="https", port=base.port)
        if not may_lead(str(base), str(url)):
            raise RegistryError(
                f"{self.repository.host} leads from {base.scheme} to {shown(str(url))}, which is refused",
                "Correct how the registry names itself.",
            )
        return str(url)

    def unexpected(self, answer: Answer, what: str) -> RegistryError:
        """The error for a status that says no."""
        if answer.status in (401, 403):
            return refused(self.repository, answer.status, what)
        told = "; ".join(f"{code}: {message}" for code, message in errors_of(answer))
        kind = NotThereError if answer.status == 404 else RegistryError
        return kind(f"{self.repository} does not {what}: status {answer.status}" + (f" ({told})" if told else ""))

    def _check(self, response: "httpx.Response", expect: "Sequence[int] | range", what: str) -> None:
        status = response.status_code
        if status in expect:
            return
        if status in _PASSING_STATUS:
            wait = response.headers.get("Retry-After", "")
            remedy = {429: _limited(self.repository), 500: _UNREADABLE}.get(status)
            lasting = UnreadableError if status == 500 else RegistryError
            raise PassingError(f"it answers {what} with status {status}", seconds_of(wait), remedy, lasting)
        raise self.unexpected(answer_of(response), f"allow {what}" if status in (401, 403) else f"answer {what}")

    def _url(self) -> str:
        if self._base is None:
            plain = self.repository.plain
            if plain is None:
                plain = not self._speaks_tls()
            self._base = f"{'http' if plain else 'https'}://{self.repository.host}"
        return self._base

    def _speaks_tls(self) -> bool:
        import httpx

        try:
            with self._http.stream("GET", f"https://{self.repository.host}/v2/"):
                pass
        except httpx.ConnectError as error:
            cause: BaseException | None = error
            while cause is not None:
                if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLCertVerificationError):
                    return False
                cause = cause.__cause__ or cause.__context__
            raise
        return True

    @contextmanager
    def _faults(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except RedirectError as error:
            raise RegistryError(f"{self.repository.host}: {error}", "Correct how the registry names itself.") from None
        except httpx.TransportError as error:
            text = str(error) or type(error).__name__
            if not is_lasting(error):
                raise PassingError(text) from None
            certificate = "certificate" in text.lower()
            raise RegistryError(
                f"{self.repository.host}: {text}",
                f"Put its authority's certificate at /etc/docker/certs.d/{self.repository.host}/ca.crt, or into the "
                "file that SSL_CERT_FILE names."
                if certificate
                else self._remedy,
            ) from None
        except (httpx.InvalidURL, UnicodeError):
            raise RegistryError(f"{self.repository.host} leads to something that is no URL") from None
        except httpx.DecodingError as error:
            raise RegistryError(f"{self.repository.host}: {error}") from None


def _limited(repository: Repository) -> str:
    return (
        f"It limits how much it gives to whom: log in ({login_command(repository.host)}), try again later, or name a "
        "mirror (portside.toml, [mirrors] registries)."
    )
