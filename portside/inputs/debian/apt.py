"""A private apt: sources, lists and package states below one folder; the machine's gives only its network settings."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portside.errors import InputError
from portside.inputs.debian import mirrors
from portside.inputs.debian.control import Stanza, stanzas, write_stanza

_KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
_KEYRING_FOLDER = Path("/usr/share/keyrings")
"""Where Debian's and Ubuntu's package debian-archive-keyring puts the keys of Debian's archive."""
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
    """apt for one suite of one mirror and one architecture, below `folder`; `lists` keeps the indexes between uses."""

    def __init__(self, folder: Path, lists: Path, suite: str, architecture: str, mirror: str) -> None:
        self.suite = suite
        self.mirror = mirror
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
        _write_keys(suite, self._etc / "trusted.gpg.d")
        self._write_sources(with_kept=False)
        self._write_config()

    def update(self) -> str:
        """Bring the indexes of the suite, their signature verified; gives the problem, "" if there is none."""
        done = self._run("apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any")
        return "" if done.returncode == 0 else _complaints(done.stderr)

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
            return Simulation({}, (), "\n".join(part for part in (unmet, _complaints(done.stderr)) if part))
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
        text = write_stanza({**common, "URIs": self.mirror})
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
            # Proxies, certificates, time limits: how this machine reaches a mirror.
            if name.lower().rstrip(":") not in ours and not name.lower().startswith("acquire::indextargets"):
                settings[name] = value
        for name, value in mirrors.apt_paths("Dir::Etc::netrc/f", "Dir::Etc::netrcparts/d"):
            settings[name] = value
        text = "".join(f'{name} "{value}";\n' for name, value in settings.items())
        text += f'APT::Architectures {{ "{self._architecture}"; }};\n'
        self._write(self._root / "apt.conf", text)

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


def _write_keys(suite: str, folder: Path) -> None:
    """Put the keys that may sign the suite's Release into `folder`, where the private apt looks for its only ones.

    What the machine's sources say (Signed-By), else the keyring of Debian's archive.
    Raises InputError where there is neither.
    """
    said = mirrors.signed_by(suite)
    if "BEGIN PGP PUBLIC KEY BLOCK" in said:
        # deb822 writes an empty line as " ." (sources.list(5), Signed-By).
        lines = ["" if line.strip() == "." else line.removeprefix(" ") for line in said.lstrip("\n").splitlines()]
        (folder / "machine.asc").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    named = [Path(word) for word in said.split() if word.startswith("/")]
    files = [path for path in named if path.is_file()]
    files = files or [path for name in _KEYRINGS if (path := _KEYRING_FOLDER / name).is_file()][:1]
    if not files:
        raise InputError(
            f"the keys that sign Debian's {suite} are not on this machine, so its packages cannot be verified",
            "Install the package debian-archive-keyring: apt-get install debian-archive-keyring",
        )
    for number, path in enumerate(files):
        # apt reads a file here by its ending: .asc for text, .gpg for anything else that is a keyring.
        ending = ".asc" if path.suffix == ".asc" else ".gpg"
        shutil.copyfile(path, folder / f"{number}{ending}")


def _complaints(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith(("E: ", "W: ", "Err:"))]
    return "\n".join(dict.fromkeys(lines)) or stderr.strip()
