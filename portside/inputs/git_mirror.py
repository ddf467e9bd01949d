"""One URL's bare mirror below the store, and the machine's own git working on it."""

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from portside.common import progress
from portside.common.canonical import sha256_hex
from portside.common.tree import FileRange, encode_path
from portside.common.url import redact, secrets_of, shown
from portside.common.values import FileName, ObjectName, Sha256, TreeName, told
from portside.config import Config
from portside.errors import InputError
from portside.inputs.git_remote import REMOTE, remote_environment, with_settings
from portside.inputs.spool import Spool
from portside.store.files import make_folder

if TYPE_CHECKING:
    from portside.store import Store

_LOCAL = (
    "GIT_DIR",
    "GIT_COMMON_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_NAMESPACE",
)
"""Variables by which the caller's git, as in a hook, means a repository of its own."""
_REMEDY = "Try the same by hand with git; portside.toml can name a mirror (mirrors.git)."


def mirror_name(url: str) -> Sha256:
    """The name of a URL's mirror below the store, without its ending; `clean` keeps what locks name by it."""
    return sha256_hex(encode_path(url))


class Mirror:
    """The bare mirror of one URL, and the machine's git working on it.

    Configuration goes through the environment: nothing of it stays in the mirror, and no URL shows up in `ps`.
    """

    def __init__(self, url: str, config: Config | None, store: "Store") -> None:
        self._url = url
        self._store = store
        self._name = mirror_name(url)
        self.path = store.git / f"{self._name}.git"
        settings = [
            ("remote.portside.url", url),
            ("safe.directory", "*"),
            ("gc.auto", "0"),
            ("http.lowSpeedLimit", "1000"),
            ("http.lowSpeedTime", "60"),
        ]
        mirrors = config.mirrors.git if config is not None else {}
        settings += [(f"url.{new.full}.insteadOf", old) for old, new in sorted(mirrors.items())]
        self._secrets = secrets_of([url, *(new.full for new in mirrors.values())])
        self.environment = {name: value for name, value in os.environ.items() if name not in _LOCAL}
        self.environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_NO_REPLACE_OBJECTS": "1"}
        self.environment = with_settings(self.environment, settings)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the mirror, make it if missing, and remove the lock files of a git that was killed here."""
        with self._store.lock(FileName(f"git-{self._name}")):
            if not (self.path / "HEAD").is_file():
                make_folder(self.path)
                self.git("init", "--quiet", "--bare", "--template=", "--object-format=sha1", ".")
            for path in [*self.path.glob("*.lock"), *self.path.glob("refs/**/*.lock")]:
                path.unlink(missing_ok=True)
            yield

    def git(self, *arguments: str, codes: Sequence[int] = (0,), environment: Mapping[str, str] | None = None) -> bytes:
        """Run git in the mirror; gives its output. Raises InputError with what git says, without passwords.

        environment: default: the mirror's own, which is not for asking the server (see `_asking`). With one, git works
        in the caller's folder: a person's ssh command may name a key by a path from there.
        """
        try:
            run = subprocess.run(
                ["git", *([f"--git-dir={self.path}"] if environment else []), *arguments],
                cwd=None if environment else self.path,
                env=environment or self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
        except FileNotFoundError:
            raise InputError("git is not installed on this machine", "Install it: apt-get install git") from None
        if run.returncode not in codes:
            raise InputError(f"git {arguments[0]} failed for {shown(self._url)}:\n{self._message(run.stderr)}", _REMEDY)
        return run.stdout

    @cached_property
    def _asking(self) -> dict[str, str]:
        """The environment for asking the server; what this machine's git would use as URL is worked out here."""
        url = self.real_url()
        settings = self._settings("http.followredirects", "core.sshcommand")
        follows = settings.get("http.followredirects", "").strip().lower()
        self._secrets |= secrets_of([url])
        result = remote_environment(self.environment, url, follows not in ("false", "no", "off", "0"))
        own = result.keys() & {"GIT_SSH", "GIT_SSH_COMMAND"} or "core.sshcommand" in settings
        if not own:
            result["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
        return result

    def _settings(self, *keys: str) -> dict[str, str]:
        """What git's configuration says last of keys (lower case, of two words); "" where it names one alone."""
        wanted = "|".join(key.replace(".", r"\.") for key in keys)
        said = self.git("config", "-z", "--get-regexp", f"^({wanted})$", codes=(0, 1)).decode(
            "utf-8", "surrogateescape"
        )
        return {key: value for key, _, value in (row.partition("\n") for row in said.split("\0")[:-1])}

    def real_url(self) -> str:
        """The URL that this machine's git asks, with all that its configuration replaces; it may hold a password."""
        return self.git("ls-remote", "--get-url", "portside").decode("utf-8", "surrogateescape").strip()

    def real_url_of(self, url: str) -> str:
        """The same for another URL."""
        environment = with_settings(self.environment, [("remote.portside-other.url", url)])
        found = self.git("ls-remote", "--get-url", "portside-other", environment=environment)
        return found.decode("utf-8", "surrogateescape").strip()

    def _message(self, stderr: bytes) -> str:
        """The end of what git says."""
        text = redact(stderr.decode("utf-8", "replace"), self._secrets)
        return "\n".join(f"  {line}" for line in text.strip().splitlines()[-6:])

    def has(self, commit: str) -> bool:
        """The ref is written after all objects are here, so it stands for them."""
        if not (self.path / "HEAD").is_file():
            return False
        # A ref is a file until somebody packs them; starting git takes far longer than to look.
        with suppress(OSError):
            if (self.path / "refs" / "portside" / commit).read_bytes() == f"{commit}\n".encode():
                return True
        return bool(self.git("for-each-ref", "--format=%(objectname)", f"refs/portside/{commit}"))

    def need(self, commit: str) -> None:
        """Fetch one commit without its history if the server gives it, else everything there is."""
        if self.has(commit):
            return
        progress.say(f"  fetching {commit[:12]} of {shown(self._url)}")
        ref = f"refs/portside/{commit}"
        try:
            self._fetch(["--depth=1"], [f"+{commit}:{ref}"])
        except InputError:
            self.fetch_everything()
            with suppress(InputError):
                self.keep(commit)
        if not self.has(commit):
            raise InputError(
                f"{shown(self._url)} has no commit {commit}",
                "If its history was rewritten, name a mirror that still has it (mirrors.git), or update the lock.",
            )

    def fetch_everything(self) -> None:
        """All branches and tags with their history, that of commits which are here without theirs too."""
        options = ["--unshallow"] if (self.path / "shallow").exists() else []
        self._fetch(options, ["+refs/heads/*:refs/remote/heads/*", "+refs/tags/*:refs/remote/tags/*"])

    def _fetch(self, options: Sequence[str], refs: Sequence[str]) -> None:
        always = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
        self.git("fetch", *always, *options, REMOTE, *refs, environment=self._asking)

    def remote_refs(self) -> dict[str, str]:
        """What the server's tags, branches and HEAD are, by their full names; what an annotated tag stands for in the
        end, by `NAME^{}`."""
        listing = self.git("ls-remote", REMOTE, environment=self._asking).decode("utf-8", "surrogateescape")
        return {ref: name for name, _, ref in (line.partition("\t") for line in listing.splitlines())}

    def keep(self, commit: str) -> None:
        """Note that a commit is here with all its objects, as after `fetch_everything`."""
        self.git("update-ref", f"refs/portside/{commit}", commit)

    def commits(self, beginning: str) -> list[str]:
        """The names of the commits that are here and begin with these hex digits, sorted."""
        names = self.git("rev-parse", f"--disambiguate={beginning}").decode().split()
        return sorted(name for name in names if self.type_of(name) == "commit")

    def type_of(self, name: str) -> str:
        """The type of an object that is here: commit, tree, blob or tag."""
        return self.git("cat-file", "-t", name).decode().strip()

    def name_of(self, expression: str, revision: str) -> ObjectName:
        try:
            name = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", expression).decode().strip()
        except InputError:
            raise InputError(
                f"{shown(self._url)}: {revision} is no commit that the store has",
                lambda recipe: f"Bring it: invoke fetch --recipe {recipe}",
            ) from None
        return told(ObjectName, name, f"{shown(self._url)}: the name of {revision}")

    def tree_of(self, commit: str, revision: str) -> TreeName:
        return TreeName(self.name_of(f"{commit}^{{tree}}", revision))


class Blobs:
    """`git cat-file --batch`: asked for one object at a time, answers with its bytes."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def __enter__(self) -> "Blobs":
        self._process = subprocess.Popen(
            ["git", "cat-file", "--batch"],
            cwd=self._mirror.path,
            env=self._mirror.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()

    def read(self, name: str, spool: Spool) -> tuple[FileRange, Sha256]:
        """A blob's bytes and their sha256, checked against its name."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        pipe_in.write(name.encode() + b"\n")
        pipe_in.flush()
        header = pipe_out.readline().split()
        if len(header) != 3 or header[1] != b"blob":
            raise self._damaged(f"no blob {name}")
        blob = _Blob(pipe_out, int(header[2]))
        content, sha256 = spool.append(cast(BinaryIO, blob))
        if blob.name != name:
            raise self._damaged(f"blob {name} is {blob.name}")
        pipe_out.read(1)
        return content, sha256

    def _damaged(self, problem: str) -> InputError:
        path = self._mirror.path
        return InputError(f"the git mirror {path} is damaged: {problem}", f"Remove it and fetch again: rm -r {path}")


class _Blob:
    """The next `size` bytes of a pipe; `name` is git's name for what has been read (SHA-1 over header and bytes)."""

    def __init__(self, pipe: IO[bytes], size: int) -> None:
        self._pipe = pipe
        self._left = size
        self._digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)

    @property
    def name(self) -> str:
        return self._digest.hexdigest()

    def read(self, size: int) -> bytes:
        data = self._pipe.read(min(size, self._left))
        self._left -= len(data)
        self._digest.update(data)
        return data
