"""Builds source distributions and installs what comes out. This file is executed inside the image, as root.

So it needs nothing but the image's own Python (3.7 or newer), its standard library and pip. Everything happens in one
folder with the same path in every build, without a network, with the locked tools in front of what the image has;
backends are called as PEP 517 says, by nobody in between who would make up paths. The folder goes at the end, with the
wheels: what stays is what pip installed.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from typing import Any, NoReturn

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = "/tmp/portside-build"
HOOK = "--build-wheel"


def fail(text: str) -> NoReturn:
    sys.exit("portside: " + text)


def run(arguments: list[str], environment: dict[str, str], folder: str = "/") -> None:
    if subprocess.call([sys.executable, *arguments], env=environment, cwd=folder, stdin=subprocess.DEVNULL):
        fail("this failed: python3 " + " ".join(arguments))


def pip() -> list[str]:
    """How Python runs pip: its own, or the locked one out of its wheel."""
    folder = os.path.join(HERE, "installer")
    if os.path.isdir(folder):
        return [os.path.join(folder, os.listdir(folder)[0], "pip")]
    return ["-m", "pip"]


def surroundings(root: str) -> dict[str, str]:
    """The environment of all programs that run."""
    made = dict(os.environ, HOME=root + "/home", TMPDIR=root + "/tmp", PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
    made["PATH"] = root + "/tools/bin:" + os.environ.get("PATH", os.defpath)
    made["PYTHONPATH"] = root + "/tools"
    flags = prefix_map(root)
    for name in ("CFLAGS", "CXXFLAGS"):
        made[name] = " ".join(filter(None, [os.environ.get(name, ""), flags]))
    return made


def prefix_map(root: str) -> str:
    """What the compiler of the image, if it has one, takes to forget the folder that it works in."""
    compiler = os.environ.get("CC", "").split() or [name for name in ("cc", "gcc") if shutil.which(name)][:1]
    for option in ("-ffile-prefix-map", "-fdebug-prefix-map"):  # the first since GCC 8
        flag = option + "=" + root + "=/build"
        probe = [*compiler, flag, "-E", "-x", "c", os.devnull]
        if compiler and not subprocess.call(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            return flag
    return ""


def unpack(archive: str, folder: str) -> str:
    """An sdist's files in a new folder; gives the one folder that holds them."""
    os.makedirs(folder)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    else:
        with tarfile.open(archive) as packed:
            options: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            packed.extractall(folder, **options)
    names = os.listdir(folder)
    if len(names) != 1:
        fail(f"an sdist has one folder, {os.path.basename(archive)} has {len(names)}")
    return os.path.join(folder, names[0])


def build_wheel(out: str, backend: str, paths: list[str]) -> None:
    """In the source's folder: the hook of PEP 517."""
    sys.path[0:1] = [os.path.abspath(path) for path in paths]  # in place of this program's own folder
    module, _, attributes = backend.partition(":")
    found = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    found.build_wheel(out, {})


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def install(build: dict[str, Any], environment: dict[str, str], root: str) -> None:
    """Build one sdist, and install its wheel."""
    folder = unpack(os.path.join(HERE, "sdists", build["file"]), os.path.join(root, build["name"]))
    out = os.path.join(root, "wheels", build["name"])
    os.makedirs(out)
    run([os.path.abspath(__file__), HOOK, out, build["backend"], *build["path"]], environment, folder)
    wheels = [name for name in os.listdir(out) if name.endswith(".whl")]
    if len(wheels) != 1:
        fail(f"{build['file']} gave {len(wheels)} wheels")
    name, version = wheels[0].split("-")[:2]
    if (normal(name), version.partition("+")[0]) != (build["name"], build["version"].partition("+")[0]):
        fail(f"{build['file']} gave {wheels[0]}, the lock says {build['name']} {build['version']}")
    # By its name: of a file that is named itself pip would note the hash, and a wheel's is not always the same.
    run([*pip(), "install", "--no-deps", "--no-index", "--find-links", out, name + "==" + version], environment)


def main(root: str = ROOT) -> None:
    with open(os.path.join(HERE, "builds.json"), encoding="utf-8") as stream:
        builds = json.load(stream)
    os.umask(0o022)
    os.mkdir(root)
    try:
        for name in ("home", "tmp", "tools"):
            os.mkdir(os.path.join(root, name))
        environment = surroundings(root)
        tools = os.path.join(HERE, "tools")
        if os.path.isdir(tools):
            listed = os.path.join(HERE, "tools.txt")
            options = ["--no-deps", "--no-compile", "--require-hashes", "--find-links", tools, "--requirement", listed]
            run([*pip(), "install", "--no-index", "--target", os.path.join(root, "tools"), *options], environment)
        for build in builds:
            install(build, environment, root)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    if sys.argv[1:2] == [HOOK]:
        build_wheel(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        main()
