"""A docker command with buildx, as far as builds of one step go: what it is told it reads as buildx does, and what
comes of a step is one layer with the file `built`. builders.json beside it says which builders there are."""

import json
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

OVERLAY = "org.mobyproject.buildkit.worker.snapshotter: overlayfs"


@dataclass
class Standin:
    """One builder. does: `builds`, `fails` (a step), `goes` (away, while it builds), or what buildx complains of.
    compressed: the new layer is gzip'd. stands_on: the diff ID of the first layer of the result, "" for the parent's.
    starts: whether `--bootstrap` makes it run."""

    driver: str = "remote"
    status: str = "running"
    platforms: str = "linux/amd64, linux/amd64/v2"
    labels: tuple[str, ...] = (OVERLAY,)
    does: str = "builds"
    compressed: bool = False
    stands_on: str = ""
    lies: bool = False
    starts: bool = False


def install(folder: Path, builders: Mapping[str, Standin]) -> Path:
    """The command in folder/bin, which gets into PATH; its calls are noted in folder/calls, one JSON list a line."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "buildx" / "instances").mkdir(parents=True, exist_ok=True)
    for name in builders:
        (folder / "buildx" / "instances" / name).touch()
    tell(folder, builders)
    command = folder / "bin" / "docker"
    command.write_text(f"#!{sys.executable} -I\nROOT = {str(folder)!r}\n" + textwrap.dedent(_PROGRAM))
    command.chmod(0o755)
    return command


def tell(folder: Path, builders: Mapping[str, Standin]) -> None:
    (folder / "builders.json").write_text(json.dumps({name: asdict(item) for name, item in builders.items()}))


def calls(folder: Path) -> list[list[str]]:
    path = folder / "calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


_PROGRAM = r"""
import base64, csv, gzip, hashlib, io, json, os, re, sys, tarfile, urllib.request

words = sys.argv[1:]
known = json.load(open(ROOT + "/builders.json"))
with open(ROOT + "/calls", "a") as log:
    log.write(json.dumps(words) + "\n")


def fail(text):
    print(text)
    sys.exit(1)


def inspect(name):
    it = known.get(name) or fail(f'ERROR: no builder "{name}" found')
    if "--bootstrap" in words:
        if not it["starts"]:
            fail("ERROR: pulling image moby/buildkit: no such host")
        it["status"] = "running"
        json.dump(known, open(ROOT + "/builders.json", "w"))
    print(f"Name:          {name}\nDriver:        {it['driver']}\n\nNodes:\nName:      {name}0\nEndpoint:  tcp://far:1")
    print(f"Status:    {it['status']}")
    if it["status"] == "running":
        print(f"Platforms: {it['platforms']}\nLabels:")
        print("".join(f" {label}\n" for label in it["labels"]), end="")


def option(name):
    return words[words.index(name) + 1]


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Layout:
    def __init__(self, folder):
        self.blobs = os.path.join(folder, "blobs", "sha256")

    def get(self, kind, digest):
        return open(os.path.join(self.blobs, digest.split(":")[1]), "rb").read()

    def put(self, kind, data):
        path = os.path.join(self.blobs, sha(data))
        if not os.path.exists(path):
            open(path, "xb").write(data)


class Registry:
    def __init__(self, repository):
        host, _, self.name = repository.partition("/")
        self.url = f"http://{host}/v2/{self.name}"
        config = os.path.join(os.environ["DOCKER_CONFIG"], "config.json")
        auths = json.load(open(config))["auths"] if os.path.exists(config) else {}
        self.headers = {"Authorization": "Basic " + auths[host]["auth"]} if host in auths else {}

    def ask(self, method, url, data=None, **headers):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(urllib.request.Request(url, data, {**self.headers, **headers}, method=method))

    def get(self, kind, digest):
        accept = "application/vnd.oci.image.manifest.v1+json"
        return self.ask("GET", f"{self.url}/{kind}/{digest}", Accept=accept).read()

    def put(self, kind, data):
        digest = f"sha256:{sha(data)}"
        if kind == "manifests":
            self.ask("PUT", f"{self.url}/manifests/{digest}", data, **{"Content-Type": json.loads(data)["mediaType"]})
            return
        place = self.ask("POST", f"{self.url}/blobs/uploads/", b"").headers["Location"]
        mark = "&" if "?" in place else "?"
        self.ask("PUT", f"{place}{mark}digest={digest}", data, **{"Content-Type": "application/octet-stream"})


def build():
    it = known[option("--builder")]
    text = open(option("--file")).read()
    parent, steps = re.match(r"FROM (\S+)\n(.*)", text, re.DOTALL).groups()
    [row] = csv.reader([option("--output")])
    output = dict(word.split("=", 1) for word in row)
    if it["does"] == "fails":
        print("#5 [2/2] RUN make\n#5 0.1 no rule\n#5 ERROR: process \"/bin/sh -c make\" did not complete: exit code: 2")
        fail("ERROR: failed to solve: exit code: 2")
    if it["does"] == "goes":
        it["status"] = "inactive"
        json.dump(known, open(ROOT + "/builders.json", "w"))
        print("#5 [2/2] RUN make\n#5 ERROR: process \"/bin/sh -c make\" did not complete: exit code: 137")
        fail("ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF")
    if it["does"] != "builds":
        fail("ERROR: failed to solve: " + it["does"])
    if output["type"] == "oci":
        name, _, place = option("--build-context").partition("=oci-layout://")
        folder, _, digest = place.partition("@")
        if ":" in folder:
            fail("ERROR: invalid tag in " + folder)
        there = Layout(folder)
        assert name == parent and output["dest"] == folder and output["tar"] == "false", words
    else:
        repository, _, digest = parent.partition("@")
        there = Registry(repository)
        assert output["name"] == repository and output["push"] == output["push-by-digest"] == "true", words
    assert output["compression"] == "uncompressed"
    manifest = json.loads(there.get("manifests", digest))
    config = json.loads(there.get("blobs", manifest["config"]["digest"]))
    for layer in manifest["layers"]:
        assert "sha256:" + sha(there.get("blobs", layer["digest"])) == layer["digest"], "damaged"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        data = steps.encode()
        info = tarfile.TarInfo("built")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    plain = out.getvalue()
    data = gzip.compress(plain) if it["compressed"] else plain
    kind = "application/vnd.oci.image.layer.v1.tar" + ("+gzip" if it["compressed"] else "")
    diff_id = "sha256:" + ("0" * 64 if it["lies"] else sha(plain))
    config["rootfs"]["diff_ids"].append(diff_id)
    if it["stands_on"]:
        config["rootfs"]["diff_ids"][0] = "sha256:" + it["stands_on"]
    config = json.dumps(config).encode()
    for blob in (data, config):
        there.put("blobs", blob)
    manifest["config"] |= {"digest": "sha256:" + sha(config), "size": len(config)}
    manifest["layers"].append({"mediaType": kind, "digest": "sha256:" + sha(data), "size": len(data)})
    manifest = json.dumps(manifest).encode()
    there.put("manifests", manifest)
    json.dump({"containerimage.digest": "sha256:" + sha(manifest)}, open(option("--metadata-file"), "w"))


if words[:2] == ["buildx", "version"]:
    print("github.com/docker/buildx v0.29.1 abc")
elif words[:2] == ["buildx", "inspect"]:
    inspect(words[-1])
elif words[:2] == ["buildx", "build"]:
    build()
else:
    fail("unknown")
"""
