"""The peers: a plain build of the same content by a Dockerfile that stays as it is, whatever Portside renders."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from bench.project import BASE, PACKAGES, UPSTREAM, Project
from bench.work import LINK, PLAIN, Bench

FOLDER = Path(__file__).parent / "peers"
FILES = {PLAIN: "plain", LINK: "link"}


@dataclass
class Peer:
    """One Dockerfile with contexts of its own, which are edited by hand as a person would.

    spare: .debs that are not in the context yet, by the name of their package.
    """

    bench: Bench
    project: Project
    side: str
    context: Path
    spare: dict[str, Path] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        return f"{self.project.recipe}:{FILES[self.side]}"

    def build(self, *, cache: bool = True) -> float:
        """Build the image; gives the seconds."""
        return self.bench.plain(self.command(cache=cache)).seconds

    def command(self, *, cache: bool = True) -> list[str]:
        base = BASE if self.project.tiny else None
        return self.bench.engine.build(self.context, self.tag, self.project.recipe, base, cache=cache)

    def build_and_run(self, *, cache: bool = True) -> float:
        """Build, and run until it has printed what was edited; gives the seconds of both."""
        return self.build(cache=cache) + self.bench.container(self.tag, self.project).seconds

    def edit(self) -> None:
        """Make the context's files what the project tells."""
        told, migrated = self.project.told, self.context / "migrated"
        write(migrated / "say.txt", f"said {told.said}\n")
        write(migrated / f"{UPSTREAM}_mlu/told.py", told.file())
        write(self.context / f"sources/{UPSTREAM}/told.py", told.file(patched=False))
        if self.project.tiny:
            write(self.context / "env-files/tiny/etc/bench.txt", f"{told.env}\n")
            return
        debs = self.context / "env/minilm/debs"
        for name in PACKAGES:
            for path in debs.glob(f"{name}_*.deb"):
                if name not in told.packages:
                    path.unlink()
        for name in told.packages:
            if not (debs / self.spare[name].name).exists():
                shutil.copy(self.spare[name], debs)


def write(path: Path, text: str) -> None:
    """Write a file unless it says so already: an edit changes the time of no other file."""
    if path.read_text() != text:
        path.write_text(text)


def sides(bench: Bench) -> list[str]:
    """The peers that the run's engine can build."""
    return [PLAIN, LINK] if bench.engine.links() else [PLAIN]


def peers_of(bench: Bench, project: Project, *, packages: bool = False, home: Path | None = None) -> list[Peer]:
    """The peers of a project, with what the project has now; nothing is built yet.

    packages: edits will want Debian packages, so the contexts are exported with all of them, which are put aside then.
    home: the store to export from; default: the run's.
    """
    if project.tiny:
        bench.engine.ask("load", "--input", str(project.incoming / "base.tar"))
    first = bench.root / f"{project.recipe}-exported"
    if packages := packages and not project.tiny:
        project.told.env = (1 << len(PACKAGES)) - 1
        project.write()
        bench.portside(project, "lock", home=home)
    bench.portside(project, "render", "--output", str(first), home=home)
    settle(first, project)
    spare: dict[str, Path] = {}
    if packages:
        project.told.env = 0
        project.write()
        bench.portside(project, "lock", home=home)
        kept = bench.root / f"{project.recipe}-debs"
        kept.mkdir()
        for name in PACKAGES:
            (found,) = (first / "env/minilm/debs").glob(f"{name}_*.deb")
            spare[name] = found.rename(kept / found.name)
    made = []
    for side in sides(bench):
        context = bench.root / f"{project.recipe}-{FILES[side]}"
        # The weights are one file on the disk: contexts are only read, and edits replace other files.
        shutil.copytree(first, context, symlinks=True, copy_function=link_weights)
        shutil.copy(FOLDER / project.shape / f"{FILES[side]}.Dockerfile", context / "Dockerfile")
        made.append(Peer(bench, project, side, context, spare))
        made[-1].edit()
    shutil.rmtree(first)
    return made


def settle(context: Path, project: Project) -> None:
    """Give an exported context the shape that the frozen Dockerfiles know: that of minilm at 0c03673."""
    for folder in ("env", "env-files"):
        if (context / folder / project.recipe).is_dir():
            (context / folder / project.recipe).rename(context / folder / project.shape)
    # Where a renderer has the recipe's own files in a context apart, they were part of `migrated` then.
    if (context / "files").is_dir():
        shutil.copytree(context / "files", context / "migrated", symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(context / "files")
    (context / "Dockerfile").unlink()


def link_weights(source: str, target: str) -> str:
    """Copy a file; a large one gets a second name instead."""
    path = Path(source)
    if not path.is_symlink() and path.stat().st_size > 1 << 20 and "/weights/" in source:
        Path(target).hardlink_to(path)
        return target
    return shutil.copy2(source, target, follow_symlinks=False)
