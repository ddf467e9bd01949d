"""Where the repository comes from: a git URL or a folder, brought without anything of it being executed."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portside.common.progress import human_bytes
from portside.common.url import holds_secret
from portside.config import Config
from portside.draft.checkout import Checkout
from portside.errors import PortsideError, RecipeError
from portside.inputs import git
from portside.inputs.pointers import source_pointers
from portside.inputs.spool import Spool
from portside.lock.folders import project_files
from portside.store import Store

_LARGE = 2 << 30
"""Bytes of Git LFS from which on they are weights rather than files of the code."""


@dataclass
class Origin:
    """asked: what the recipe says of the source. shown: for people. notes: behind its keys."""

    asked: dict[str, Any]
    shown: str
    notes: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RepositoryReader:
    """Brings repositories into the store and reads them out of it. root: of the project."""

    root: Path
    config: Config
    store: Store
    spool: Spool

    def source(self, text: str) -> tuple[Origin, Checkout]:
        """What `--source` names. Raises RecipeError where it is neither a git repository nor a folder, InputError where
        it cannot be had."""
        url, ref = split_ref(text)
        if holds_secret(url):
            raise RecipeError(
                "the URL of --source holds a password or token, which must not get into a recipe",
                "Leave it out; git asks its credential helper or ~/.netrc, or portside.toml has it (mirrors.git).",
            )
        folder = Path(url).expanduser()
        if _is_url(url):
            return self._git(url, ref)
        if not folder.is_dir():
            raise RecipeError(
                f"--source: no folder {url}", "Give the URL of a git repository (https://…, git@…), or a folder."
            )
        full = folder.resolve()
        if not ref and full.is_relative_to(self.root.resolve()) and full != self.root.resolve():
            inside = full.relative_to(self.root.resolve()).as_posix()
            name = source_name(full.name)
            return Origin({"folder": inside}, inside), Checkout(name, project_files(self.root, inside))
        if (full / ".git").exists() or (full / "HEAD").is_file():
            origin = _remote(full)
            return self._git(f"file://{full}", ref, origin)
        raise RecipeError(
            f"--source: {url} is neither in the project nor a git repository",
            f"Put the folder below {self.root}, or make it a git repository: git init, git add, git commit.",
        )

    def _git(self, url: str, ref: str, instead: str = "") -> tuple[Origin, Checkout]:
        """instead: the URL that the recipe says, where the repository is a clone of this machine."""
        revision, said = git.revision_of(url, ref, self.config, self.store)
        locked = git.resolve(url, revision, self.config, self.store)
        tree = git.tree(locked, self.store, self.spool)
        address = instead or url
        name = source_name(address.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git"))
        origin = Origin({"git": address, "commit": str(locked.commit)}, address)
        if said:
            origin.notes["commit"] = said
        checkout = Checkout(name, tree)
        self._modules(checkout, origin)
        pointers = source_pointers(locked, self.store) or ()
        if pointers:
            size = sum(file.size for file in pointers)
            origin.asked["lfs"] = "fetch" if size < _LARGE else {"weights": f"{name}-lfs"}
            origin.notes["lfs"] = f"{pointers[0].path}: {len(pointers)} pointer(s) of Git LFS, {human_bytes(size)}"
        return origin, checkout

    def _modules(self, checkout: Checkout, origin: Origin) -> None:
        from portside.inputs.git_names import empty_folders

        empty = empty_folders(checkout.tree)
        text = checkout.text(".gitmodules") or ""
        declared = dict(re.findall(r"^\s*(path)\s*=\s*(\S+)", text, re.M)) and set(
            re.findall(r"^\s*path\s*=\s*(.*?)\s*$", text, re.M)
        )
        known = [path for path in empty if path in (declared or set())]
        if known:
            origin.asked["submodules"] = True
            lines = [number for number, line in checkout.lines(".gitmodules") if re.match(r"\s*path\s*=", line)]
            origin.notes["submodules"] = (
                f".gitmodules:{lines[0] if lines else 1}: {', '.join(known[:4])}{' …' if len(known) > 4 else ''}"
            )
        for path in empty:
            if path not in known:
                why = "no .gitmodules at the top says which repository it is"
                origin.left.append(f"{path}: a submodule; {why}, so it stays an empty folder")

    def other(self, url: str, revision: str) -> tuple[dict[str, str], Checkout] | None:
        """A further repository that the program needs, as a recipe asks for it."""
        if not _is_url(url) or holds_secret(url):
            return None
        try:
            asked, said = git.revision_of(url, revision, self.config, self.store)
            locked = git.resolve(url, asked, self.config, self.store)
            tree = git.tree(locked, self.store, self.spool)
        except PortsideError:
            return None
        key = said.partition(" ")[0] if said and revision else "commit"
        value = revision if key != "commit" else str(locked.commit)
        return {"git": url, key: value}, Checkout(source_name(url.rpartition("/")[2]), tree)


def split_ref(text: str) -> tuple[str, str]:
    """A URL or path, and what stands behind its last @, which is none of the URL's own."""
    left, at, right = text.rpartition("@")
    if (
        not at
        or ":" in right
        or not right
        or not re.search(r"(?<!/)/(?!/)|^[^/@:]+@[^/:]+:.", left.partition("://")[2] or left)
    ):
        return text, ""
    if "://" in left and "/" not in left.partition("://")[2]:
        return text, ""
    return left, right


def _is_url(text: str) -> bool:
    return bool(re.match(r"(https?|ssh|git|file)://|[\w.-]+@[\w.-]+:(?!/)", text))


def source_name(text: str) -> str:
    """A name that a source of a recipe can have."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", text).strip("._-")
    return name or "source"


def _remote(folder: Path) -> str:
    """Where a clone comes from, if its commit is there too as far as the clone knows; else nothing."""
    run = subprocess.run(
        ["git", "-C", str(folder), "config", "--get", "remote.origin.url"], capture_output=True, text=True, check=False
    )
    url = run.stdout.strip()
    if run.returncode or not re.match(r"(https://|ssh://|git@)", url) or holds_secret(url):
        return ""
    held = subprocess.run(
        ["git", "-C", str(folder), "branch", "--remotes", "--contains", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return url if held.stdout.strip() else ""
