"""The packages of the archives in noble_archive/: always the same bytes, so that only their indexes are kept there."""

import io
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DATE = 1_594_000_000


@dataclass(frozen=True)
class Package:
    """files: path -> content. more: of the control archive, by name, such as postinst."""

    name: str
    version: str
    fields: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def control(self) -> str:
        fields = f"{self.fields}\n" if self.fields else ""
        return (
            f"Package: {self.name}\nVersion: {self.version}\nArchitecture: all\nMaintainer: nobody\n{fields}"
            f"Description: {self.name} of a test\n"
        )

    @property
    def file(self) -> str:
        return f"{self.name}_{self.version}_all.deb"

    def deb(self) -> bytes:
        own = {"control": self.control, **self.more}
        members = {"debian-binary": b"2.0\n", "control.tar": _tar(own, 0o755), "data.tar": _tar(self.files, 0o644)}
        out = b"!<arch>\n"
        for name, data in members.items():
            out += f"{name:<16}{DATE:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data
            out += b"\n" * (len(data) % 2)
        return out


def _tar(files: Mapping[str, str], mode: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        folders = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}
        for folder in ("", *sorted(folders)):
            info = tarfile.TarInfo(f"./{folder}")
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, DATE
            archive.addfile(info)
        for path, text in sorted(files.items()):
            info = tarfile.TarInfo(f"./{path}")
            info.size, info.mode, info.mtime = len(text.encode()), mode, DATE
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


TOOL = '#!/bin/sh\nset -e\ntouch "/var/lib/tool/$1"\n'
"""Its postinst, which a trigger calls too."""

ARCHIVES = {
    "ubuntu": {
        "noble": {
            "main": [
                Package("base-files", "1.0", "Essential: yes\nPriority: required"),
                Package("apt", "2.7", "Priority: important"),
                Package("libtool1", "1.1", files={"usr/lib/libtool1": "1.1\n"}),
                Package("held", "2.0", files={"usr/share/held": "2.0\n"}),
                Package("newer", "1.0"),
                Package("needs-held", "1.0", "Depends: held (>= 2.0)"),
            ],
            "universe": [
                Package(
                    "tool",
                    "1.0",
                    "Depends: libtool1 (>= 1.1), newer",
                    {"usr/bin/tool": "#!/bin/sh\necho tool\n", "etc/tool.conf": "package\n", "var/lib/tool/x": "x\n"},
                    {"postinst": TOOL, "triggers": "interest-noawait /usr/lib/kit\n", "conffiles": "/etc/tool.conf\n"},
                ),
            ],
            "multiverse": [Package("unfree", "1.0", "Depends: tool", {"usr/share/unfree": "1.0\n"})],
        },
        "noble-updates": {"main": [], "universe": [], "multiverse": []},
        "noble-security": {
            "main": [Package("libtool1", "1.2", files={"usr/lib/libtool1": "1.2\n"})],
            "universe": [],
            "multiverse": [],
        },
    },
    "vendor": {
        "/": {"": [Package("kit-runtime", "3.0", "Depends: tool", {"usr/lib/kit/runtime": "3.0\n"})]},
    },
}
"""By root, suite and component; a suite with a slash has none."""


def path_of(package: Package, component: str) -> str:
    """Below the root of its archive."""
    return f"pool/{component}/{package.file}" if component else package.file


def write(folder: Path) -> None:
    """The archives as mirrors have them, each in a folder of its name, with their keyrings NAME.asc beside."""
    shutil.copytree(Path(__file__).with_name("noble_archive"), folder, ignore=shutil.ignore_patterns("*.py", "__*"))
    for root, suites in ARCHIVES.items():
        for components in suites.values():
            for component, packages in components.items():
                for package in packages:
                    path = folder / root / path_of(package, component)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(package.deb())
