"""Which keys may sign a suite's Release: portside.toml's, what the machine's apt says, the distribution's own."""

import os
import re
from pathlib import Path

from portside.errors import InputError
from portside.inputs.debian import mirrors
from portside.inputs.debian.keyrings import fingerprints, is_armoured
from portside.inputs.debian.releases import distribution_of, release_of

KEYRING_FOLDER = Path("/usr/share/keyrings")
"""Where the packages of keyrings put the keys of their archive."""
_FINGERPRINT = re.compile(r"([0-9A-F]{40}|[0-9A-F]{64})!?", re.IGNORECASE)
"""In Signed-By (sources.list(5)); with '!' no subkey counts."""


def write_keys(suite: str, folder: Path, keyring: Path | None) -> tuple[str, ...]:
    """Put the keys that may sign the suite's Release into `folder`, where the private apt looks for its only ones;
    gives the fingerprints of those among them that count, nothing if all do.

    keyring: what portside.toml names for it. Without it what the machine's sources say (Signed-By: keyrings,
    fingerprints of keys in them or else in those that its apt trusts, or a whole key), else the keyring of the
    distribution's archive.
    Raises InputError where that is not here.
    """
    if keyring is not None:
        if not (keyring.is_file() and os.access(keyring, os.R_OK) and fingerprints(keyring.read_bytes())):
            raise InputError(
                f"{keyring}, which portside.toml names for {suite}, is not there, cannot be read, or is no keyring",
                "Correct `keyrings` in portside.toml.",
            )
        write_ring(folder / f"{suite}-named", keyring.read_bytes())
        return ()
    family = distribution_of(suite)
    said = mirrors.signed_by(suite)
    if "BEGIN PGP PUBLIC KEY BLOCK" in said:
        # deb822 writes an empty line as " ." (sources.list(5), Signed-By).
        lines = ["" if line.strip() == "." else line.removeprefix(" ") for line in said.lstrip("\n").splitlines()]
        (folder / f"{suite}.asc").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ()
    words = [word for word in re.split(r"[\s,]+", said) if word]
    named = [Path(word) for word in words if word.startswith("/")]
    wanted = [word.upper() for word in words if _FINGERPRINT.fullmatch(word)]
    if unclear := [word for word in words if not word.startswith("/") and not _FINGERPRINT.fullmatch(word)]:
        raise InputError(
            f"this machine's apt sources say that {suite} is signed by {' '.join(unclear)}, "
            "which is neither the path of a keyring nor a fingerprint of 40 hex digits",
            "Correct its Signed-By (sources.list(5)).",
        )
    if absent := [str(path) for path in named if not (path.is_file() and os.access(path, os.R_OK))]:
        raise InputError(
            f"the keys that sign {suite} should be in {', '.join(absent)}, as this machine's apt sources say, "
            "which is not there or cannot be read",
            "Bring it back, or correct Signed-By in the sources (sources.list(5)).",
        )
    usual = [path for name in family.keyrings if (path := KEYRING_FOLDER / name).is_file()][:1]
    files = named or [*(_trusted() if wanted else ()), *usual]
    if not files and not wanted:
        raise InputError(
            f"the keys that sign {family.title}'s {suite} are not on this machine, so its packages cannot be verified",
            f"Install the package {family.package}: apt-get install {family.package}; or name a keyring that you trust "
            f"in portside.toml: [keyrings] {release_of(suite)} = …",
        )
    rings = [path.read_bytes() for path in files]
    counting = [word for word in wanted if any(word.rstrip("!") in fingerprints(ring) for ring in rings)]
    if wanted and not counting:
        looked = ", ".join(map(str, files)) or "no keyring is there"
        raise InputError(
            f"this machine's apt sources say that {suite} is signed by the key {' or '.join(wanted)}, "
            f"which no keyring here has ({looked})",
            "Put the key into a keyring of apt's (/etc/apt/trusted.gpg.d), or correct Signed-By (sources.list(5)).",
        )
    for number, ring in enumerate(rings):
        if wanted and not fingerprints(ring) & {word.rstrip("!") for word in counting}:
            continue
        write_ring(folder / f"{suite}-{number}", ring)
    return tuple(counting)


def write_ring(path: Path, ring: bytes) -> Path:
    """Write a keyring beside `path`, with the ending by which apt reads it: .asc for text, .gpg for anything else that
    is one."""
    file = path.with_name(f"{path.name}{'.asc' if is_armoured(ring) else '.gpg'}")
    file.write_bytes(ring)
    return file


def _trusted() -> list[Path]:
    """The keyrings whose keys this machine's apt trusts for every source that names no other, as far as we may read."""
    found: list[Path] = []
    for _, place in mirrors.apt_paths("Dir::Etc::trusted/f", "Dir::Etc::trustedparts/d"):
        path = Path(place)
        found += sorted(path.iterdir()) if path.is_dir() else [path]
    return [path for path in found if path.is_file() and path.suffix in (".asc", ".gpg") and os.access(path, os.R_OK)]
