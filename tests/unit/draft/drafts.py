"""Made-up repositories, and the drafts that are made of them: no network is asked."""

from pathlib import Path
from typing import Any

import yaml

from portside.common.tree import Tree, file_entry
from portside.config import Config
from portside.draft.checkout import Checkout
from portside.draft.drafted import Draft
from portside.draft.make import make_draft
from portside.draft.new import check_text
from portside.draft.options import check_asked
from portside.draft.origin import Origin, RepositoryReader
from portside.inputs.spool import Spool
from portside.store import Store


def checkout(files: dict[str, str | bytes], name: str = "demo") -> Checkout:
    return Checkout(name, Tree(file_entry(p, t.encode() if isinstance(t, str) else t) for p, t in files.items()))


def draft(folder: Path, files: dict[str, str | bytes] | Checkout, config: Config | None = None, **asked: Any) -> Draft:
    """The draft of a repository with these files; it is a recipe, or this fails. folder: for the store."""
    config = config or Config(home=folder / "home")
    store = Store(config.home)
    with store.workspace() as place, Spool(place) as spool:
        reader = RepositoryReader(folder, config, store, spool)
        wanted = check_asked("demo", folder, **asked)
        origin = Origin({"git": "https://example.org/demo", "commit": "0" * 40}, "https://example.org/demo")
        made = make_draft(wanted, origin, files if isinstance(files, Checkout) else checkout(files), reader)
    check_text(made.text)
    return made


def recipe(made: Draft) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(made.text)
    return value


def behind(made: Draft, line: str) -> str:
    """The comment of the first line that begins with this, behind it or above it."""
    lines = [text.strip() for text in made.text.split("\n")]
    number = next(n for n, text in enumerate(lines) if text.startswith(line))
    _, mark, comment = lines[number].partition("  # ")
    return comment if mark else lines[number - 1].removeprefix("# ")
