"""Debian packages on a base that Portside did not make, with its own apt and dpkg: out of this machine's programs.

An archive in the shape of Ubuntu's noble, another of a vendor with a key in the recipe's folder, and a vendor's .deb
and .run, which commands of the recipe install.
"""

import json
import os
import re
import sys
from pathlib import Path

from own_left import remove_unnamed
from pipeline import Machine, checkout, docker, remove_images
from tiny_images import programs

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "inputs"))

import noble_debs
from base_layers import archive
from noble_debs import Package

PROGRAMS = (
    *("apt-get", "dpkg", "dpkg-deb", "dpkg-query", "dpkg-split", "dpkg-trigger", "tar", "sh", "bash", "ls", "grep"),
    *(
        "cat",
        "chmod",
        "cp",
        "find",
        "head",
        "ln",
        "mkdir",
        "mv",
        "rm",
        "rmdir",
        "sed",
        "touch",
        "test",
        "tail",
        "env",
        "diff",
    ),
)
METHODS = ("copy", "file", "store")
STATUS = "".join(
    f"Package: {name}\nStatus: {wanted} ok installed\nArchitecture: {architecture}\nMulti-Arch: foreign\n"
    f"Version: {version}\nMaintainer: nobody\nDescription: of the base\n\n"
    for name, version, architecture, wanted in (
        ("dpkg", "1.22", "amd64", "install"),
        ("apt", "2.7", "amd64", "install"),
        ("held", "1.0", "all", "hold"),
        ("newer", "2.0", "all", "install"),
        ("libold", "1.0", "i386", "install"),
    )
)
HOOK = 'DPkg::Pre-Invoke { "false"; };\nAPT::Get::Assume-No "true";\nDir::Etc::sourcelist "/nowhere";\n'
KIT = "#!/bin/sh\nmkdir -p /opt/kit && echo $1 > /opt/kit/said && cat /usr/lib/kit/runtime >> /opt/kit/said\n"
BEYOND = Package("beyond", "1.0", "Depends: kit-runtime", {"usr/lib/kit/beyond": "b\n"})


def base(folder: Path) -> None:
    """The vendor's image: this machine's apt and dpkg, calling themselves noble's."""
    found = programs([*PROGRAMS, *(f"/usr/lib/apt/methods/{name}" for name in METHODS)])
    system: dict[str, bytes | str | None] = {
        **{re.sub("^bin/+(usr/lib/)?", lambda m: m[1] or "usr/bin/", path): data for path, data in found.items()},
        "bin": "usr/bin",
        "etc/os-release": b'ID=ubuntu\nVERSION_CODENAME=noble\nPRETTY_NAME="Made up"\n',
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
        "etc/apt/apt.conf.d/99hook": HOOK.encode(),
        "etc/apt/sources.list": b"deb http://mirror.invalid/ubuntu noble main\n",
        "etc/apt/preferences": b"Package: *\nPin: release *\nPin-Priority: -1\n",
        "var/lib/dpkg/arch": b"amd64\ni386\n",
        "etc/tool.conf": b"the base's own\n",
    }
    for name in ("ldconfig", "start-stop-daemon"):
        system[f"usr/sbin/{name}"] = Path(f"/sbin/{name}").read_bytes()
    tables = Path("/usr/share/dpkg").glob("*table")
    system |= {str(path).lstrip("/"): path.read_bytes() for path in tables}
    listed = {f"var/lib/dpkg/info/{name}.list": b"/.\n" for name in ("dpkg", "apt", "held", "newer", "libold:i386")}
    upper = {"var/lib/dpkg/status": STATUS.encode(), **listed}
    (folder / "noble.tar").write_bytes(archive(system, upper, environment={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}))


def test_packages_archives_and_a_vendors_files(tmp_path: Path) -> None:
    noble_debs.write(tmp_path / "mirrors")
    (tmp_path / "files").mkdir()
    base(tmp_path / "files")
    (tmp_path / "files/kit.run").write_text(KIT)
    (tmp_path / "files/beyond.deb").write_bytes(BEYOND.deb())
    machine = Machine(checkout(tmp_path / "checkout"), tmp_path / "home")
    name = f"debs-{os.getpid()}x{os.urandom(3).hex()}"
    mirrors = tmp_path / "mirrors"
    (machine.checkout / "portside.toml").write_text(
        f'folders = ["{tmp_path / "files"}"]\n'
        f'mirrors.ubuntu = ["{(mirrors / "ubuntu").as_uri()}"]\n'
        f'archives.kit = "{(mirrors / "vendor").as_uri()}"\n'
        f'keyrings.noble = "{mirrors / "ubuntu.asc"}"\n'
    )
    recipe = {
        "description": "packages on a base of somebody else",
        "base": {"archive": {"file": "noble.tar", "origin": "a test"}},
        "accelerator": {"name": "cpu"},
        "env": {
            "debian": ["unfree", "kit-runtime", "newer"],
            "components": ["main", "universe", "multiverse"],
            "archives": {"kit": {"suite": "/", "key": "vendor.asc"}},
            "install": [
                {"run": "dpkg --install ./beyond.deb", "files": [{"file": "beyond.deb", "origin": "a test"}]},
                {"run": "sh kit.run installed", "files": [{"file": "kit.run", "origin": "a test"}]},
            ],
        },
        "install": ["test $(cat /usr/lib/libtool1) = 1.2 && test -e /var/lib/tool/triggered"],
    }
    (machine.checkout / f"recipes/{name}").mkdir()
    (machine.checkout / f"recipes/{name}/vendor.asc").write_bytes((mirrors / "vendor.asc").read_bytes())
    (machine.checkout / f"recipes/{name}.yaml").write_text(json.dumps(recipe))
    try:
        machine.run("lock", "--recipe", name)
        [packages] = json.loads((machine.checkout / f"recipes/{name}.lock").read_text())["env"]["sets"]
        found = {deb["name"]: (deb["version"], deb.get("archive")) for deb in packages["debs"]}
        assert found == {
            "kit-runtime": ("3.0", "kit"),
            "libtool1": ("1.2", None),
            "tool": ("1.0", None),
            "unfree": ("1.0", None),
        }
        assert packages["suites"]["suites"] == ["noble", "noble-updates", "noble-security"]
        assert packages["suites"]["there"] == {"newer": "2.0"}
        assert str(mirrors) not in (machine.checkout / f"recipes/{name}.lock").read_text()
        built = json.loads(machine.run("build", "--recipe", name, "--layer", "migrated", "--json").stdout)
        said = docker("run", "--rm", "--network", "none", f"portside/{name}:migrated", "sh", "-c", SHOWN)
        assert said.splitlines() == [
            *("installed", "3.0", "the base's own", "b"),
            *("held 1.0 hold", "kit-runtime 3.0 install", "libold 1.0 install", "newer 2.0 install"),
        ]
        verdict = machine.run("verify", "--recipe", name, "--offline", "--json")
        assert json.loads(verdict.stdout)["reproducible"], built
        # What is held stays, and apt says so before anything is built.
        recipe["env"]["debian"] = ["needs-held"]  # type: ignore[index]
        (machine.checkout / f"recipes/{name}.yaml").write_text(json.dumps(recipe))
        assert "held" in machine.run("lock", "--recipe", name, expect=2).stderr
    finally:
        remove_images(docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"portside/{name}").split())
        remove_unnamed([name])


SHOWN = (
    "cat /opt/kit/said /etc/tool.conf /usr/lib/kit/beyond; dpkg-query --show --showformat "
    "'${Package} ${Version} ${db:Status-Want}\\n' held kit-runtime libold newer"
)
