"""A private apt: sources, lists and package states below one folder; the machine's gives only its network settings."""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portside.common.url import SecretUrl, UserInfo, redact, secrets_of, split_login
from portside.errors import InputError
from portside.inputs.debian import mirrors
from portside.inputs.debian.control import Stanza, stanzas, write_stanza
from portside.inputs.debian.keyrings import fingerprints, is_armoured

_KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
_KEYRING_FOLDER = Path("/usr/share/keyrings")
"""Where Debian's and Ubuntu's package debian-archive-keyring puts the keys of Debian's archive."""
_FINGERPRINT = re.compile(r"([0-9A-F]{40}|[0-9A-F]{64})!?", re.IGNORECASE)
"""In Signed-By (sources.list(5)); with '!' no subkey counts."""
_NOT_TAKEN_OVER = re.compile(r"Acquire::(IndexTargets|Allow(Insecure|Weak|DowngradeToInsecure)Repositories)", re.I)
_KEPT = "kept"
_INSTALL = re.compile(r"Inst (\S+?)(?::\S+)?(?: \[([^\]]*)\])? \((\S+) ")


@dataclass(frozen=True, slots=True)
class Simulation:
    """What an `apt-get install` would do. installs: name -> version. changes: lines about packages already there.

    problem: why it would do nothing, in apt's words; "" if it would work.
    """

    installs: Mapping[str, str]
    changes: tuple[str, ...]
    problem: str


class PrivateApt:
    """apt for one suite of one mirror and one architecture, below `folder`; `lists` keeps the indexes between uses.

    The mirror's password, if it has one, stands in a file that nobody else can read, and in no source line.
    """

    def __init__(self, folder: Path, lists: Path, suite: str, architecture: str, mirror: SecretUrl) -> None:
        self.suite = suite
        self.mirror = mirror
        self._uri, self._login = split_login(mirror.full)
        self._root = folder
        self._lists = lists
        self._architecture = architecture
        self._etc = folder / "etc" / "apt"
        for name in ("apt.conf.d", "preferences.d", "sources.list.d", "trusted.gpg.d"):
            (self._etc / name).mkdir(parents=True)
        for name in ("var/cache/apt/archives/partial", "var/lib/dpkg", "var/log/apt"):
            (folder / name).mkdir(parents=True)
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        self.set_installed(())
        self._signed_by = _write_keys(suite, self._etc / "trusted.gpg.d")
        self._write_sources(with_kept=False)
        self._write_config()

    def update(self) -> str:
        """Bring the indexes of the suite, their signature verified; gives the problem, "" if there is none."""
        done = self._run("apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any")
        return "" if done.returncode == 0 else self._complaints(done.stderr)

    def release_date(self) -> str:
        """The `Date` of the suite's Release file, as written there."""
        for path in sorted(self._lists.glob("*Release")):
            date = re.search(r"^Date: (.+)$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
            if date:
                return date[1].strip()
        raise InputError(f"the Release file of {self.suite} at {self.mirror} has no date")

    def names(self) -> list[str]:
        """Every name that a package has or provides."""
        return sorted(self._run("apt-cache", "pkgnames").stdout.split())

    def providers(self, name: str) -> list[str]:
        """The packages that provide a name."""
        text = self._run("apt-cache", "showpkg", name).stdout.partition("Reverse Provides:")[2]
        return sorted({line.split()[0] for line in text.splitlines() if line.strip()})

    def records(self, wanted: Iterable[str]) -> list[Stanza]:
        """The index's stanzas for names or NAME=VERSION; what the index does not have is left out."""
        return list(stanzas(self._run("apt-cache", "show", *sorted(wanted)).stdout))

    def simulate(self, specs: Sequence[str]) -> Simulation:
        """What `apt-get install --no-install-recommends` of the specs would do."""
        done = self._run("apt-get", "install", "--simulate", "--yes", *specs)
        if done.returncode:
            unmet = done.stdout.partition("unmet dependencies:\n")[2].rstrip()
            return Simulation({}, (), "\n".join(part for part in (unmet, self._complaints(done.stderr)) if part))
        installs: dict[str, str] = {}
        changes: list[str] = []
        for line in done.stdout.splitlines():
            if match := _INSTALL.match(line):
                name, old, version = match.groups()
                installs[name] = version
                if old is not None:
                    changes.append(f"{name} {old} -> {version}")
            elif line.startswith(("Remv ", "Purg ")):
                changes.append(f"{line.split()[1]} removed")
        return Simulation(installs, tuple(changes), "")

    def set_installed(self, packages: Iterable[Stanza]) -> None:
        """Say which packages are there already: their own fields, without Status."""
        text = "".join(write_stanza({**package, "Status": "install ok installed"}) for package in packages)
        self._write(self._root / "var" / "lib" / "dpkg" / "status", text)

    def pin(self, versions: Mapping[str, str]) -> None:
        """Stay at these versions, name -> version, as far as they are available."""
        text = "".join(
            f"Package: {name}\nPin: version {version}\nPin-Priority: 1001\n\n"
            for name, version in sorted(versions.items())
        )
        self._write(self._etc / "preferences", text)

    def add_kept(self, packages: Iterable[Stanza]) -> None:
        """Know verified packages that the mirror no longer lists; call `update` afterwards."""
        root = self._root / _KEPT
        index = root / "dists" / self.suite / "main" / f"binary-{self._architecture}"
        index.mkdir(parents=True)
        self._write(index / "Packages", "".join(write_stanza(package) for package in packages))
        release = {"Codename": self.suite, "Suite": self.suite, "Architectures": self._architecture}
        self._write(root / "dists" / self.suite / "Release", write_stanza({**release, "Components": "main"}))
        self._write_sources(with_kept=True)

    def _write_sources(self, with_kept: bool) -> None:
        common = {"Types": "deb", "Suites": self.suite, "Components": "main", "Architectures": self._architecture}
        signed_by = {"Signed-By": " ".join(self._signed_by)} if self._signed_by else {}
        text = write_stanza({**common, "URIs": self._uri, **signed_by})
        if with_kept:
            # Trusted because its only content is control data out of .debs whose sha256 the lock had.
            text += write_stanza({**common, "URIs": (self._root / _KEPT).as_uri(), "Trusted": "yes"})
        self._write(self._etc / "sources.list.d" / "portside.sources", text)

    def _write_config(self) -> None:
        settings = {
            "Dir": str(self._root),
            "Dir::State::status": str(self._root / "var" / "lib" / "dpkg" / "status"),
            "Dir::State::lists": str(self._lists),
            "APT::Architecture": self._architecture,
            "APT::Install-Recommends": "false",
            "APT::Install-Suggests": "false",
            "APT::Solver": "internal",
            # The account _apt cannot read a store that belongs to a person; signatures protect, not the account.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::GzipIndexes": "true",
            # As mmdebstrap does: apt itself is wanted because it is asked for.
            "pkgCacheGen::ForceEssential": ",",
        }
        ours = {name.lower() for name in settings}
        for name, value in mirrors.apt_settings("Acquire::"):
            # Proxies, certificates, time limits: how this machine reaches a mirror, and not what it takes from one.
            if name.lower().rstrip(":") not in ours and not _NOT_TAKEN_OVER.match(name):
                settings[name] = value
        for name, value in mirrors.apt_paths("Dir::Etc::netrc/f", "Dir::Etc::netrcparts/d"):
            settings[name] = value
        if self._login is not None:
            path = self._etc / "auth.conf"
            self._write_private(path, _netrc(self.mirror, self._uri, self._login))
            settings["Dir::Etc::netrc"] = str(path)
        text = "".join(f'{name} "{value}";\n' for name, value in settings.items())
        text += f'APT::Architectures {{ "{self._architecture}"; }};\n'
        self._write_private(self._root / "apt.conf", text)  # a proxy's URL may hold a password

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "APT_CONFIG": str(self._root / "apt.conf"),
            "HOME": str(self._root),
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ.get("PATH", os.defpath),
            "TMPDIR": str(self._root),
        }
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        return subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            env=environment | proxies,
            cwd="/",
        )

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8", errors="surrogateescape")

    def _write_private(self, path: Path, text: str) -> None:
        path.touch(mode=0o600)
        self._write(path, text)

    def _complaints(self, stderr: str) -> str:
        stderr = redact(stderr, secrets_of([self.mirror.full]))
        lines = [line for line in stderr.splitlines() if line.startswith(("E: ", "W: ", "Err:"))]
        return "\n".join(dict.fromkeys(lines)) or stderr.strip()


def _netrc(mirror: SecretUrl, uri: str, login: UserInfo) -> str:
    """A line of apt_auth.conf(5), which knows no way to write a blank in a password."""
    password = login.password or ""
    if not login.user or not password or re.search(r"\s", login.user + password):
        raise InputError(
            f"{mirror}: apt cannot use a mirror's URL with a password that is empty or has blanks, or without a user",
            "Write USER:PASSWORD@ in front of its host, or let apt's own configuration hold them (apt_auth.conf(5)).",
        )
    scheme, _, rest = uri.partition("://")
    return f"machine {scheme}://{rest.partition('/')[0]} login {login.user} password {password}\n"


def _write_keys(suite: str, folder: Path) -> tuple[str, ...]:
    """Put the keys that may sign the suite's Release into `folder`, where the private apt looks for its only ones;
    gives the fingerprints of those among them that count, nothing if all do.

    What the machine's sources say (Signed-By: keyrings, fingerprints of keys in them or else in those that its apt
    trusts, or a whole key), else the keyring of Debian's archive.
    Raises InputError where that is not here.
    """
    said = mirrors.signed_by(suite)
    if "BEGIN PGP PUBLIC KEY BLOCK" in said:
        # deb822 writes an empty line as " ." (sources.list(5), Signed-By).
        lines = ["" if line.strip() == "." else line.removeprefix(" ") for line in said.lstrip("\n").splitlines()]
        (folder / "machine.asc").write_text("\n".join(lines) + "\n", encoding="utf-8")
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
    debian = [path for name in _KEYRINGS if (path := _KEYRING_FOLDER / name).is_file()][:1]
    files = named or [*(_trusted() if wanted else ()), *debian]
    if not files and not wanted:
        raise InputError(
            f"the keys that sign Debian's {suite} are not on this machine, so its packages cannot be verified",
            "Install the package debian-archive-keyring: apt-get install debian-archive-keyring",
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
        # apt reads a file here by its ending: .asc for text, .gpg for anything else that is a keyring.
        (folder / f"{number}{'.asc' if is_armoured(ring) else '.gpg'}").write_bytes(ring)
    return tuple(counting)


def _trusted() -> list[Path]:
    """The keyrings whose keys this machine's apt trusts for every source that names no other, as far as we may read."""
    found: list[Path] = []
    for _, place in mirrors.apt_paths("Dir::Etc::trusted/f", "Dir::Etc::trustedparts/d"):
        path = Path(place)
        found += sorted(path.iterdir()) if path.is_dir() else [path]
    return [path for path in found if path.is_file() and path.suffix in (".asc", ".gpg") and os.access(path, os.R_OK)]
