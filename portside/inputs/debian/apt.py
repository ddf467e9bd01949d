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
from portside.inputs.debian.repositories import AptRepository
from portside.inputs.debian.trust import write_keys, write_ring

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
    """apt for some repositories below `folder`; `lists` keeps the indexes between uses.

    repositories: the release first. architectures: the one whose packages are looked for, then what else may be
    installed. A mirror's password, if it has one, stands in a file that nobody else can read, and in no source line.
    """

    def __init__(
        self, folder: Path, lists: Path, repositories: Sequence[AptRepository], architectures: Sequence[str]
    ) -> None:
        self.suite = repositories[0].suite
        self._repositories = tuple(repositories)
        self._logins = {r.name: split_login(r.root.full) for r in repositories}
        self._root = folder
        self._lists = lists
        self._architectures = tuple(architectures)
        self._etc = folder / "etc" / "apt"
        for name in ("apt.conf.d", "keys", "preferences.d", "sources.list.d", "trusted.gpg.d"):
            (self._etc / name).mkdir(parents=True)
        for name in ("var/cache/apt/archives/partial", "var/lib/dpkg", "var/log/apt"):
            (folder / name).mkdir(parents=True)
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        self.set_installed(())
        self._signed_by = {r.name: self._keys(r) for r in repositories}
        self._write_sources(with_kept=False)
        self._write_config()

    def _keys(self, repository: AptRepository) -> tuple[str, ...]:
        """What counts of the keys that may sign a repository; nothing for all that are trusted."""
        if repository.own_keys and repository.keyring is not None:
            return (str(write_ring(self._etc / "keys" / repository.name, repository.keyring.read_bytes())),)
        return write_keys(repository.suite, self._etc / "trusted.gpg.d", repository.keyring)

    def update(self) -> str:
        """Bring the indexes of the repositories, their signature verified; gives the problem, "" if there is none."""
        done = self._run("apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any")
        if done.returncode:
            return self._complaints(done.stderr)
        # apt passes over a suite without the architecture, and only says so.
        lacking = [r.name for r in self._repositories if self._architectures[0] not in self._has(r)]
        return f"{', '.join(lacking)} has nothing for {self._architectures[0]} there" if lacking else ""

    @property
    def names_of_repositories(self) -> tuple[str, ...]:
        return tuple(r.name for r in self._repositories)

    def link_lists(self, folder: Path) -> None:
        """Give another apt the indexes of this one."""
        for path in self._lists.iterdir():
            if path.is_file() and path.name != "lock" and not (folder / path.name).exists():
                os.link(path, folder / path.name)

    def _has(self, repository: AptRepository) -> list[str]:
        """The architectures of a suite, this apt's own where its Release file does not say."""
        return self._release_field(repository.suite, "Architectures").split() or [self._architectures[0]]

    def _release_field(self, suite: str, name: str) -> str:
        """A field of the Release file of a suite, or of the only one that there is, of an archive without suites."""
        pattern = "*Release" if suite.endswith("/") else f"*_dists_{suite.replace('/', '_')}_*Release"
        for path in sorted(self._lists.glob(pattern)):
            text = path.read_text(encoding="utf-8", errors="replace")
            if found := re.search(rf"^{name}: (.+)$", text, re.MULTILINE):
                return found[1].strip()
        return ""

    def release_date(self, suite: str) -> str:
        """The `Date` of a suite's Release file, as written there."""
        if date := self._release_field(suite, "Date"):
            return date
        root = next(r.root for r in self._repositories if r.suite == suite)
        raise InputError(f"the Release file of {suite} at {root} has no date")

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
        """Say which packages are there already: their own fields; one without Status is installed."""
        whole = {"Status": "install ok installed"}
        text = "".join(write_stanza({**package, "Status": (whole | package)["Status"]}) for package in packages)
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
        index = root / "dists" / self.suite / "main" / f"binary-{self._architectures[0]}"
        index.mkdir(parents=True)
        self._write(index / "Packages", "".join(write_stanza(package) for package in packages))
        release = {"Codename": self.suite, "Suite": self.suite, "Architectures": self._architectures[0]}
        self._write(root / "dists" / self.suite / "Release", write_stanza({**release, "Components": "main"}))
        self._write_sources(with_kept=True)

    def _write_sources(self, with_kept: bool) -> None:
        common = {"Types": "deb", "Architectures": self._architectures[0]}
        text = ""
        for r in self._repositories:
            keys = " ".join(self._signed_by[r.name])
            said = {"Components": " ".join(r.components), "URIs": self._logins[r.name][0], "Signed-By": keys}
            text += write_stanza(
                {**common, "Suites": r.suite, **{name: value for name, value in said.items() if value}}
            )
        if with_kept:
            # Trusted because its only content is control data out of .debs whose sha256 the lock had.
            kept = {"Suites": self.suite, "Components": "main", "URIs": (self._root / _KEPT).as_uri()}
            text += write_stanza({**common, **kept, "Trusted": "yes"})
        self._write(self._etc / "sources.list.d" / "portside.sources", text)

    def _write_config(self) -> None:
        settings = {
            "Dir": str(self._root),
            "Dir::State::status": str(self._root / "var" / "lib" / "dpkg" / "status"),
            "Dir::State::lists": str(self._lists),
            "APT::Architecture": self._architectures[0],
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
        named = [(r.root, *self._logins[r.name]) for r in self._repositories]
        logins = [_netrc(root, uri, login) for root, uri, login in named if login]
        if logins:
            path = self._etc / "auth.conf"
            self._write_private(path, "".join(dict.fromkeys(logins)))
            settings["Dir::Etc::netrc"] = str(path)
        text = "".join(f'{name} "{value}";\n' for name, value in settings.items())
        text += "APT::Architectures {{ {} }};\n".format(" ".join(f'"{name}";' for name in self._architectures))
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
        stderr = redact(stderr, secrets_of([r.root.full for r in self._repositories]))
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
