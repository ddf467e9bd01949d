"""A build on a builder of buildx, and the layers that come back. The image below goes there as an OCI layout, or by its
digest in a registry; no engine's image store is asked for."""

import csv
import io
import json
import os
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from portside.common import oci
from portside.common.canonical import canonical_json, sha256_hex
from portside.common.values import DiffID, Sha256
from portside.engines.base import ImageToBuild
from portside.engines.buildkit_log import BuildLog
from portside.engines.buildx import Buildx, buildx_environment
from portside.engines.command import indented, lines
from portside.engines.docker_cli import source_policy
from portside.errors import EngineError, PortsideError

LAYOUT = "layout"
"""The folder of the OCI layout, beside the context. Names relative to where the command works: what buildx is told of a
layout ends at the first `@` or `:`, which a path may have."""
METADATA = "metadata.json"

_KILLED = (137, 143)
"""Exit codes of a step that was killed, as the one of a builder that ends is."""
_GONE = re.compile(
    r"failed to receive status|listing workers|no active session|transport is closing|closing transport"
    r"|error reading from server|no valid drivers|failed to initialize builder",
    re.IGNORECASE,
)
"""What buildx says of a connection to a builder that broke; of one from a builder to a registry it says otherwise."""


class BuilderGoneError(EngineError):
    """A builder that does not answer, or stopped answering: what it was building can be built elsewhere."""


def layout_words(parent: str, digest: Sha256) -> list[str]:
    """The parent out of the layout, the result into the same one: a layer that is there is not sent back.

    parent: the name in the Dockerfile. digest: of its manifest.
    """
    output = _output(type="oci", dest=LAYOUT, tar="false")
    return ["--build-context", f"{parent}=oci-layout://{LAYOUT}@sha256:{digest}", "--output", output]


def registry_words(repository: str, plain: bool) -> list[str]:
    """The result into a repository (`HOST[:PORT]/NAME`), without a tag. plain: the registry speaks http."""
    more = {"registry.insecure": "true"} if plain else {}
    return ["--output", _output(type="image", name=repository, push="true", **{"push-by-digest": "true"}, **more)]


def _output(**words: str) -> str:
    """buildx reads it as a line of CSV."""
    out = io.StringIO()
    fixed = {"compression": "uncompressed", "oci-mediatypes": "true"}
    csv.writer(out, lineterminator="").writerow([f"{name}={value}" for name, value in (words | fixed).items()])
    return out.getvalue()


def build(
    buildx: Buildx,
    builder: str,
    image: ImageToBuild,
    words: Sequence[str],
    log: Callable[[str], None],
    *,
    logins: bytes | None = None,
) -> Sha256:
    """Build in the folder of the Dockerfile, with the network off; gives the digest (hex) of the result's manifest.

    words: of `layout_words` or `registry_words`. logins: as `buildx_environment` has it.
    Raises StepError when a step fails, BuilderGoneError where the builder goes away, EngineError for what else it says.
    """
    folder = image.dockerfile.parent
    policy, metadata = folder / "policy.json", folder / METADATA
    policy.write_bytes(canonical_json(source_policy(image, "oci-layout://*")))
    metadata.unlink(missing_ok=True)
    said = BuildLog(log)
    with buildx_environment(os.environ, logins) as env:
        env["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"] = str(policy.absolute())
        command = [*buildx.command, *_arguments(builder, image, words)]
        with closing(lines(command, env, held=image.held, cwd=folder)) as output:
            for line in output:
                said.take(line)
    try:
        found = json.loads(metadata.read_bytes())
        return Sha256.of_digest(found["containerimage.digest"])
    except FileNotFoundError:
        raise _failed(buildx, builder, image, said) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise EngineError(f"the builder {builder} does not say what it has built as {image.title}") from None


def _arguments(builder: str, image: ImageToBuild, words: Sequence[str]) -> list[str]:
    out = ["build", "--builder", builder, "--network", "none", "--progress", "plain"]
    out += ["--provenance=false", "--sbom=false", "--metadata-file", METADATA, "--file", image.dockerfile.name]
    if image.no_cache:
        out.append("--no-cache")
    if image.architecture:
        out += ["--platform", f"linux/{image.architecture}"]
    return [*out, *words, str(image.context.absolute())]


def _failed(buildx: Buildx, builder: str, image: ImageToBuild, said: BuildLog) -> PortsideError:
    """What to raise for a build that failed: whose fault it was."""
    last = indented(map(image.in_words, said.last))
    if said.exit_code is not None and said.exit_code not in _KILLED:
        return said.error(image)
    try:
        answers = buildx.inspect(builder).is_running
    except EngineError:
        answers = False
    if not answers or any(_GONE.search(line) for line in said.last):
        return BuilderGoneError(
            f"the builder {builder} stopped answering while {image.title} was built:\n{last}",
            f"See how it is: docker buildx inspect {builder}",
        )
    if said.exit_code is not None:
        return said.error(image)
    return EngineError(f"the builder {builder} did not build {image.title}:\n{last}", _remedy(said.last))


def _remedy(said: Sequence[str]) -> str | None:
    text = "\n".join(said)
    if "insufficient_scope" in text or "401 Unauthorized" in text or "authorization failed" in text:
        return "Log in where Portside runs, for pulling and pushing: docker login HOST"
    if "server gave HTTP response to HTTPS client" in text:
        return (
            'Tell the builder that this registry has no TLS: [registry."HOST:PORT"] http = true in its buildkitd.toml.'
        )
    if "x509" in text or "certificate" in text:
        return 'The builder has to trust the registry\'s certificate: ca of [registry."HOST"] in its buildkitd.toml.'
    if "no match for platform" in text or "exec format error" in text:
        return "Name the architectures that it executes in portside.toml (docs/builders.md)."
    return None


def result_layers(layout: Path, digest: Sha256) -> tuple[list[DiffID], list[tuple[Sha256, Path]]]:
    """The diff IDs of an image in a layout, and its layers as (digest, file), both bottom first; nothing of the layers
    is read. digest: of its manifest. Raises EngineError for a result that is not what its digest says."""
    try:
        manifest = json.loads(_blob(layout, digest))
        config, layers = oci.read_manifest(manifest)
        diff_ids = oci.diff_ids_of(_blob(layout, config.digest))
    except (OSError, ValueError) as error:
        raise EngineError(f"what the builder gave back cannot be read: {error}", "Try again.") from error
    if len(diff_ids) != len(layers):
        raise EngineError(f"the builder gave back {len(layers)} layers, and {len(diff_ids)} in its config")
    return diff_ids, [(layer.digest, layout / "blobs" / "sha256" / layer.digest) for layer in layers]


def _blob(layout: Path, digest: Sha256) -> bytes:
    data = (layout / "blobs" / "sha256" / digest).read_bytes()
    if sha256_hex(data) != digest:
        raise ValueError(f"sha256:{digest} has other bytes than its name says")
    return data
