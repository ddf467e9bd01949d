"""Writes the signed indexes beside this file: `python make_signed.py`, with gpg. The keys sign nothing else."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from noble_debs import ARCHIVES, Package, path_of

HERE = Path(__file__).parent


def stanza(package: Package, component: str) -> str:
    data = package.deb()
    place = f"Filename: {path_of(package, component)}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
    return f"{package.control}{place}\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"GNUPGHOME": home}

        def gpg(*arguments: str, data: bytes = b"") -> bytes:
            command = ["gpg", "--batch", "--faked-system-time", "20200101T000000!", *arguments]
            return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, env=environment).stdout

        for root, suites in ARCHIVES.items():
            who = f"{root} of a test"
            gpg("--passphrase", "", "--quick-generate-key", who, "ed25519", "sign", "never")
            (HERE / f"{root}.asc").write_bytes(gpg("--armor", "--export", who))
            shutil.rmtree(HERE / root, ignore_errors=True)
            for suite, components in suites.items():
                folder = HERE / root if suite == "/" else HERE / root / "dists" / suite
                sums = ""
                for component, packages in components.items():
                    path = f"{component}/binary-amd64/Packages" if component else "Packages"
                    index = "".join(stanza(package, component) for package in packages).encode()
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / path).write_bytes(index)
                    sums += f"\n {hashlib.sha256(index).hexdigest()} {len(index)} {path}"
                named = "" if suite == "/" else f"Suite: {suite}\nCodename: noble\nComponents: {' '.join(components)}\n"
                release = (
                    f"Origin: Test\n{named}Date: Sat, 11 Jul 2020 10:16:37 UTC\nArchitectures: amd64\nSHA256:{sums}\n"
                )
                signed = gpg("--local-user", who, "--clearsign", data=release.encode())
                (folder / "InRelease").write_bytes(signed)


if __name__ == "__main__":
    main()
