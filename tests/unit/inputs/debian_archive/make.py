"""Writes the tiny signed archive beside this file: `python make.py`, with gpg installed. Its key signs nothing else."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = {
    "apt": "Priority: important\nDepends: libc6",
    "base-files": "Priority: required\nEssential: yes\nPre-Depends: libc6",
    "evil": "Depends: libc6",
    "extra": "Depends: libc6",
    "helper": "Depends: libc6",
    "libc6": "Priority: required",
    "mail-server": "Provides: mail-agent",
    "needs-new": "Depends: libc6 (>= 2.0)",
    "plain": "Depends: libc6",
    "tool": "Depends: helper (= 2.0)\nRecommends: extra",
    "torn": "Depends: nothing-has-this",
}


def stanza(name: str, fields: str) -> str:
    path = "../../outside.deb" if name == "evil" else f"pool/main/{name[0]}/{name}/{name}_2.0_all.deb"
    digest = hashlib.sha256(name.encode()).hexdigest()
    place = f"Filename: {path}\nSize: 1000\nSHA256: {digest}\n"
    own = f"Package: {name}\nVersion: 2.0\nArchitecture: all\nMaintainer: nobody\n{fields}\n"
    return f"{own}{place}Description: {name}\n\n"


def main() -> None:
    index = "".join(stanza(name, fields) for name, fields in PACKAGES.items()).encode()
    dist = HERE / "dists" / "tiny"
    shutil.rmtree(dist, ignore_errors=True)
    packages = dist / "main" / "binary-amd64" / "Packages"
    packages.parent.mkdir(parents=True)
    packages.write_bytes(index)
    lines = [
        "Origin: Test",
        "Suite: tiny",
        "Codename: tiny",
        "Date: Sat, 11 Jul 2020 10:16:37 UTC",
        "Architectures: amd64",
        "Components: main",
        f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-amd64/Packages",
    ]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"GNUPGHOME": home}

        def gpg(*arguments: str, data: bytes = b"") -> bytes:
            command = ["gpg", "--batch", "--faked-system-time", "20200101T000000!", *arguments]
            return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, env=environment).stdout

        for who in ("stranger", "archive"):
            gpg("--passphrase", "", "--quick-generate-key", f"{who} of a test", "ed25519", "sign", "never")
            (HERE / f"{who}.asc").write_bytes(gpg("--armor", "--export", f"{who} of a test"))
        signed = gpg("--local-user", "archive of a test", "--clearsign", data="\n".join(lines).encode() + b"\n")
        (dist / "InRelease").write_bytes(signed)


if __name__ == "__main__":
    main()
