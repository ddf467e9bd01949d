"""Writes the signed archives beside this file, in the shape of Ubuntu's noble: `python make.py`, with gpg installed.

Three roots, as Ubuntu has them: the archive with updates, security elsewhere, ports for arm64. Its key signs
nothing else.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NOBLE = {
    "main": {
        "breaks-base": ("2.0", "Conflicts: base-tool"),
        "git": ("2.0", "Depends: libc6"),
        "libc6": ("2.0", "Multi-Arch: same"),
        "libssl3": ("3.0", "Depends: libc6\nMulti-Arch: same"),
        "libssl-dev": ("3.0", "Depends: libssl3 (= 3.0)"),
        "needs-held": ("2.0", "Depends: held (>= 2.0)"),
        "held": ("2.0", ""),
    },
    "universe": {
        "git-lfs": ("3.4.1-1", "Depends: git (>= 1.8.2), scm-tool | other"),
        "plumbing": ("1:1.0", "Provides: scm-tool"),
    },
}
UPDATES = {
    "main": {"git": ("2.1", "Depends: libc6 (>= 2.0)"), "plumbing": ("1:1.0+2", "Provides: scm-tool\nDepends: libc6")},
    "universe": {},
}
SECURITY = {
    "main": {"libssl3": ("3.0.13", "Depends: libc6"), "libssl-dev": ("3.0.13", "Depends: libssl3 (= 3.0.13)")},
    "universe": {},
}
SUITES = {"noble": (NOBLE, 11), "noble-updates": (UPDATES, 12), "noble-security": (SECURITY, 13)}
ROOTS = {
    "archive": ("amd64", ["noble", "noble-updates"]),
    "security": ("amd64", ["noble-security"]),
    "ports": ("arm64", list(SUITES)),
}


def stanza(name: str, version: str, fields: str, architecture: str, component: str) -> str:
    file = f"{name}_{version.rpartition(':')[2]}_{architecture}.deb"
    digest = hashlib.sha256(file.encode()).hexdigest()
    place = f"Filename: pool/{component}/{name[0]}/{name}/{file}\nSize: 1000\nSHA256: {digest}\n"
    own = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: nobody\n"
    return f"{own}{fields}\n{place}Description: {name}\n\n".replace("\n\nFilename", "\nFilename")


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"GNUPGHOME": home}

        def gpg(*arguments: str, data: bytes = b"") -> bytes:
            command = ["gpg", "--batch", "--faked-system-time", "20200101T000000!", *arguments]
            return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, env=environment).stdout

        gpg("--passphrase", "", "--quick-generate-key", "ubuntu of a test", "ed25519", "sign", "never")
        (HERE / "archive.asc").write_bytes(gpg("--armor", "--export", "ubuntu of a test"))
        for root, (architecture, suites) in ROOTS.items():
            shutil.rmtree(HERE / root, ignore_errors=True)
            for suite in suites:
                components, day = SUITES[suite]
                sums = ""
                for component, packages in components.items():
                    index = "".join(stanza(n, v, f, architecture, component) for n, (v, f) in packages.items()).encode()
                    path = f"{component}/binary-{architecture}/Packages"
                    file = HERE / root / "dists" / suite / path
                    file.parent.mkdir(parents=True)
                    file.write_bytes(index)
                    sums += f"\n {hashlib.sha256(index).hexdigest()} {len(index)} {path}"
                release = (
                    f"Origin: Test\nSuite: {suite}\nCodename: noble\nDate: Sat, {day} Jul 2020 10:16:37 UTC\n"
                    f"Architectures: {architecture}\nComponents: main universe\nSHA256:{sums}\n"
                )
                signed = gpg("--local-user", "ubuntu of a test", "--clearsign", data=release.encode())
                (HERE / root / "dists" / suite / "InRelease").write_bytes(signed)


if __name__ == "__main__":
    main()
