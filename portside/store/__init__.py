"""The store: everything that Portside keeps on this machine, by content (PORTSIDE_HOME).

In: bytes with the sha256 that they must have.
Out: files, blobs and records of this machine, by content.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, overload

from portside.common.canonical import digest_of
from portside.common.outputs import write_text
from portside.common.values import FileName, Key, RecipeName, Sha256
from portside.errors import StoreError
from portside.store import files
from portside.store.inputs import Inputs
from portside.store.layout import Layout
from portside.store.records import (
    READERS,
    ArchiveRecord,
    BuiltRecord,
    CheckoutRecord,
    CheckRecord,
    ClearRecord,
    KeyRecord,
    Kind,
    PackedRecord,
    PointerRecord,
    checkout_record,
)


class Store:
    """`inputs/` verified inputs, `seen/` what is known of files of this machine, `git/` bare mirrors, `oci/` an OCI
    image layout, `frames/` blobs that are made of inputs when they are read, `keys/` what a key gave, `checkouts/` the
    folders with recipes that use it, `builds/` the temporary names in engines.

    Every file appears under its final name only when it is complete; see `files`.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        files.make_folder(home)
        self.inputs = Inputs(home)
        self.layout = Layout(home, self.inputs)

    @property
    def git(self) -> Path:
        return self.home / "git"

    def lock(self, name: FileName, waiting: Callable[[], None] = lambda: None) -> AbstractContextManager[None]:
        """Only one process at once holds the lock of this name. waiting: called once if another one does."""
        return files.lock(self.home, name, waiting)

    @overload
    def record(self, kind: Literal["keys"], name: Key) -> KeyRecord | None: ...

    @overload
    def record(self, kind: Literal["packed"], name: FileName) -> PackedRecord | None: ...

    @overload
    def record(self, kind: Literal["built"], name: RecipeName) -> BuiltRecord | None: ...

    @overload
    def record(self, kind: Literal["checkouts"], name: FileName) -> CheckoutRecord | None: ...

    @overload
    def record(self, kind: Literal["pointers"], name: FileName) -> PointerRecord | None: ...

    @overload
    def record(self, kind: Literal["archives"], name: Sha256) -> ArchiveRecord | None: ...

    @overload
    def record(self, kind: Literal["clear"], name: FileName) -> ClearRecord | None: ...

    @overload
    def record(self, kind: Literal["checks"], name: Sha256) -> CheckRecord | None: ...

    def record(self, kind: Kind, name: FileName) -> Any:
        """A small JSON value kept under `kind/name.json`, or None. Raises StoreError for a damaged one."""
        return files.read_json(self.home / kind / f"{name}.json", READERS[kind])

    @overload
    def keep(self, kind: Literal["keys"], name: Key, value: KeyRecord) -> None: ...

    @overload
    def keep(self, kind: Literal["packed"], name: FileName, value: PackedRecord) -> None: ...

    @overload
    def keep(self, kind: Literal["built"], name: RecipeName, value: BuiltRecord) -> None: ...

    @overload
    def keep(self, kind: Literal["checkouts"], name: FileName, value: CheckoutRecord) -> None: ...

    @overload
    def keep(self, kind: Literal["pointers"], name: FileName, value: PointerRecord) -> None: ...

    @overload
    def keep(self, kind: Literal["archives"], name: Sha256, value: ArchiveRecord) -> None: ...

    @overload
    def keep(self, kind: Literal["clear"], name: FileName, value: ClearRecord) -> None: ...

    @overload
    def keep(self, kind: Literal["checks"], name: Sha256, value: CheckRecord) -> None: ...

    def keep(self, kind: Kind, name: FileName, value: Any) -> None:
        """Keep a small JSON value under `kind/name.json`."""
        files.write_json(self.home, self.home / kind / f"{name}.json", value)

    def keep_log(self, name: FileName, text: str) -> Path:
        """Keep what a failed step printed as `logs/NAME.log`; gives its path."""
        path = self.home / "logs" / f"{name}.log"
        with files.store_errors(path):
            path.parent.mkdir(exist_ok=True)
        write_text(path, text)
        return path

    def note_checkout(self, root: Path) -> None:
        """Remember a folder with recipes that uses this store: `clean` keeps what its locks need."""
        place = str(root.resolve())
        name = FileName(digest_of(place)[:16])
        if not (self.home / "checkouts" / f"{name}.json").exists():
            with suppress(StoreError):  # who may only read a store cannot lose anything in it either
                self.keep("checkouts", name, {"root": place})

    def checkouts(self) -> dict[str, Path]:
        """The folders that have used this store, by the names of their records; they may be gone by now."""
        found: dict[str, Path] = {}
        for path in sorted((self.home / "checkouts").glob("*.json")):
            record = files.read_json(path, checkout_record)
            if record is not None:
                found[path.stem] = Path(record["root"])
        return found

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A folder for one piece of work, removed afterwards; what a killed process left is removed at the next."""
        with files.scratch(self.home) as path:
            yield path
