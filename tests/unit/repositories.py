"""Git repositories that tests commit to, made without starting git: most of what such tests take is its starts."""

from pathlib import Path

_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tautocrlf = false
[maintenance]
\tauto = false
"""


def new_repository(folder: Path) -> Path:
    """What `git init -b main` makes of a folder, which may be there already; gives the folder."""
    made = folder / ".git"
    for path in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
        (made / path).mkdir(parents=True)
    (made / "HEAD").write_text("ref: refs/heads/main\n")
    (made / "config").write_text(_CONFIG)
    return folder


def head(folder: Path) -> str:
    """The commit that git has just made in a repository; gives its name."""
    said = (folder / ".git/HEAD").read_text().strip()
    return (folder / ".git" / said.removeprefix("ref: ")).read_text().strip() if said.startswith("ref: ") else said
