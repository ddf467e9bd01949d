"""A minimal Debian's root file system, made from .debs that are here, with mmdebstrap and without a network.

The .debs are put as a small archive whose index calls every package essential. So mmdebstrap extracts all of them
and lets the dpkg inside the new root install all of them in one run: neither the host's apt nor its dpkg decides an
order, and no package is marked as automatically installed (nothing of the base is ever autoremoved).
"""

import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from portside.common.canonical import sha256_hex
from portside.errors import BuildError
from portside.inputs.debian.control import (
    Stanza,
    check_debs,
    check_place,
    control_of,
    own_fields,
    stanzas,
    write_stanza,
)
from portside.lock.packages import Deb

Log = Callable[[str], None]
"""Called with one line for a person."""

_CLEAN = Path(__file__).parent / "clean-base.sh"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TOLD = ("extracting archives", "installing essential packages", "creating tarball")
"""mmdebstrap's messages that tell a person how far it is."""
_STATUS = "./var/lib/dpkg/status"


def make_base(
    debs: Sequence[tuple[Deb, Path]],
    suite: str,
    architecture: str,
    epoch: int,
    out: Path,
    workspace: Path,
    log: Log,
) -> None:
    """Write the root file system of exactly these packages as a tar to `out`.

    debs: each with the verified file that has its bytes. epoch: seconds since 1970; no time in the tar is later.
    workspace: an empty folder for work. The tar is the same for the same .debs and epoch, whatever the machine; it
    names no mirror (etc/apt/sources.list is absent) and holds no logs, caches, backups or host names.
    Raises BuildError where mmdebstrap is missing or fails, with the last lines that it said; InputError for a list of
    .debs that cannot be one system.
    """
    check_place(suite, architecture)
    if shutil.which("mmdebstrap", path=_PATH) is None:
        raise BuildError(
            "the base is made from .debs by mmdebstrap, which this machine does not have",
            "Install it (Debian and Ubuntu): apt-get install mmdebstrap; as root: invoke setup",
        )
    if os.geteuid() != 0 and shutil.which("newuidmap", path=_PATH) is None:
        raise BuildError(
            "users other than root make a base under user IDs of their own (subuid(5)), and newuidmap is not here",
            "Install it (Debian and Ubuntu): apt-get install uidmap. Or run this as root.",
        )
    ordered = check_debs(deb for deb, _ in debs)
    files = {deb.name: path for deb, path in debs}
    with ThreadPoolExecutor() as threads:
        controls = list(threads.map(lambda deb: control_of(files[deb.name]), ordered))
    with _folder(workspace) as folder:
        archive = _write_archive(ordered, controls, files, suite, architecture, folder / "archive")
        temporary = folder / "tmp"
        temporary.mkdir()
        clean = shutil.copyfile(_CLEAN, folder / _CLEAN.name)
        command = [
            "mmdebstrap",
            f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
            "--variant=essential",
            "--format=tar",
            # The hook does it: apt would leave folders to its own account, if that account can reach them.
            "--skip=cleanup/apt",
            f"--architectures={architecture}",
            f'--customize-hook=sh {shlex.quote(str(clean))} "$1"',
            suite,
            str(out),
            f"deb [trusted=yes] copy:{quote(str(archive))} {suite} main",
        ]
        for path in [folder, *folder.rglob("*")]:
            # Whatever the umask is here. The .debs themselves are the store's and readable already.
            if path.suffix != ".deb":
                path.chmod(0o755 if path.is_dir() else 0o644)
        _run([*_in_memory(temporary, controls), *command], epoch, temporary, log)
    _check_installed(out, ordered)


@contextmanager
def _folder(workspace: Path) -> Iterator[Path]:
    """A folder for mmdebstrap and its temporary files.

    Without root's rights mmdebstrap works under other user IDs (subuid(5)), which cannot reach a store that belongs to
    a person: then it is one below the machine's folder for temporary files.
    """
    if os.geteuid() == 0:
        yield workspace
        return
    with tempfile.TemporaryDirectory(prefix="portside-") as name:
        yield Path(name)


def _in_memory(folder: Path, controls: Sequence[Stanza]) -> list[str]:
    """What to put before a command so that `folder` is in memory while it runs; [] where that cannot or should not be.

    dpkg writes every file twice and syncs it, which takes a disk twice as long as memory. The mount belongs to the
    command alone: however the command ends, the memory is free again.
    """
    # Installed-Size is in KiB (Debian policy 5.6.20); while a file is replaced, both of its versions are there.
    installed = (
        sum(int(size) for c in controls if re.fullmatch("[0-9]{1,12}", size := c.get("Installed-Size", ""))) << 10
    )
    if os.geteuid() != 0 or installed * 4 > _free_memory() or shutil.which("unshare") is None:
        return []
    mount = ["mount", "-t", "tmpfs", "-o", f"mode=755,size={installed * 3}", "portside"]
    tried = subprocess.run(["unshare", "--mount", *mount, folder], capture_output=True, check=False)
    if tried.returncode:
        return []
    return ["unshare", "--mount", "sh", "-c", f'{shlex.join(mount)} "$0" && exec "$@"', str(folder)]


def _free_memory() -> int:
    """Bytes that new files in memory may take: the machine's, or its container's limit (cgroup v2) if that is less."""
    free = 0
    with suppress(OSError, IndexError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        free = int(re.findall(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)[0]) << 10
    with suppress(OSError, ValueError):
        free = min(free, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return free


def _write_archive(
    debs: Sequence[Deb],
    controls: Sequence[Stanza],
    files: Mapping[str, Path],
    suite: str,
    architecture: str,
    root: Path,
) -> Path:
    """Lay the .debs out as pool/ and dists/SUITE/main (no time, no signature: nothing leaves this machine)."""
    pool = root / "pool"
    pool.mkdir(parents=True)
    index = ""
    for deb, control in zip(debs, controls, strict=True):
        if (control.get("Package"), control.get("Version")) != (deb.name, deb.version):
            raise BuildError(
                f"{deb.path} holds {control.get('Package')} {control.get('Version')}, not {deb.name} {deb.version}"
            )
        name = f"{deb.sha256}.deb"
        _link(files[deb.name], pool / name)
        place = {"Essential": "yes", "Filename": f"pool/{name}", "Size": str(deb.size), "SHA256": deb.sha256}
        index += write_stanza(own_fields(control, "Essential") | place)
    data = index.encode("utf-8", "surrogateescape")
    packages = root / "dists" / suite / "main" / f"binary-{architecture}" / "Packages"
    packages.parent.mkdir(parents=True)
    packages.write_bytes(data)
    listed = f"\n {sha256_hex(data)} {len(data)} main/binary-{architecture}/Packages"
    release = {"Codename": suite, "Suite": suite, "Architectures": architecture, "Components": "main", "SHA256": listed}
    (root / "dists" / suite / "Release").write_text(write_stanza(release), encoding="utf-8")
    return root


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(0o644)


def _run(command: Sequence[str], epoch: int, temporary: Path, log: Log) -> None:
    """Run mmdebstrap with nothing of this process's surroundings: environment, umask, folder, time zone, locale."""
    environment = {
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "PATH": _PATH,
        "SOURCE_DATE_EPOCH": str(epoch),
        "TMPDIR": str(temporary),
        "TZ": "UTC",
    }
    said: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=environment,
        cwd=temporary,
        umask=0o022,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            # Progress in percent is written over itself with carriage returns.
            text = line.rstrip("\n").rpartition("\r")[2].strip()
            if text:
                said.append(text)
            if (told := re.fullmatch(r"I: (.*?)\.*", text)) and told[1] in _TOLD:
                log(told[1].replace(" essential", ""))
    if process.returncode:
        raise BuildError("\n".join(["mmdebstrap could not make the base; it said last:", *said[-15:]]))


def _check_installed(tar: Path, debs: Sequence[Deb]) -> None:
    """Raise BuildError unless the new root has exactly these packages, all of them configured."""
    with tarfile.open(tar, "r:") as archive:
        member = archive.extractfile(_STATUS)
        assert member is not None, _STATUS
        text = member.read().decode("utf-8", "surrogateescape")
    found = {(s["Package"], s["Version"], s["Architecture"], s["Status"]) for s in stanzas(text)}
    wanted = {(deb.name, deb.version, deb.architecture, "install ok installed") for deb in debs}
    if found != wanted:
        lines = [f"  {' '.join(row)}" for row in sorted(found ^ wanted)]
        raise BuildError("\n".join(["the base does not have exactly the locked packages; these differ:", *lines]))
