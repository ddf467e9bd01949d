"""Files that go by their names and come from two places: a project's own folder, and the package."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from portside.errors import RecipeError


@dataclass(frozen=True)
class NamedFiles:
    """Files NAME.yaml of one kind.

    kind: the name of their folder beside a project's `recipes/`. package: the folder of those that come with Portside.
    overridden: gives the names which, by a project's settings, may be in both; its own counts then.
    """

    kind: str
    package: Path
    overridden: Callable[[Path, str], Collection[str]]

    def names(self, root: Path | None) -> list[str]:
        """All names, sorted. root: the project's, if there is one."""
        own = (root / self.kind).glob("*.yaml") if root else ()
        return sorted({path.stem for path in (*self.package.glob("*.yaml"), *own)})

    def path(self, name: str, root: Path | None) -> Path:
        """The file of a name that there is. Raises RecipeError if both have it and the settings do not say so."""
        packed = self.package / f"{name}.yaml"
        if root is None or not (own := root / self.kind / packed.name).is_file():
            return packed
        if packed.is_file() and name not in self.overridden(root, self.kind):
            allowed = f'[override] {self.kind} = ["{name}"]'
            raise RecipeError(
                f"{own}: {name} is also one of the {self.kind} that come with Portside",
                f"Give it another name, or let the project's count; in its portside.toml: {allowed}",
            )
        return own
