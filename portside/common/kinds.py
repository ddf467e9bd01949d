"""Tables of models, by the kind that each is of: the unions of recipes and locks, their errors and schemas are built
from these, so that a kind is named where its model stands, and nowhere else."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, Union

from pydantic import BaseModel, Discriminator, GetCoreSchemaHandler, Tag, create_model

M = TypeVar("M", bound=BaseModel)


class Kinds(dict[str, type[BaseModel]]):
    """A table of models, and as a note on a type (`Annotated[T, TABLE]`) the union of them.

    A value says its kind under the key `kind`, or, where the model has no such key, by the key that is called like the
    kind; where several are, the one whose model requires the others' keys too is meant.
    """

    def add(self, model: type[M]) -> type[M]:
        """Put a model into the table: a decorator of its class."""
        self[kind_of(model)] = model
        return model

    def of(self, value: Any) -> str | None:
        """The kind that a value is meant to be; None for one that is none of them."""
        if isinstance(value, BaseModel):
            return kind_of(type(value)) if isinstance(value, tuple(self.values())) else None
        if not isinstance(value, Mapping):
            return None
        if self._say_it() and "kind" in value:
            return value["kind"] if isinstance(value["kind"], str) else None
        by_key = {kind: model for kind, model in self.items() if kind in value and "kind" not in model.model_fields}
        by_key = {kind: model for kind, model in by_key.items() if value[kind] is not None} or by_key
        found = [kind for kind in by_key if not any(_requires(other, kind) for other in by_key.values())]
        return found[0] if len(found) == 1 else None

    def options(self) -> Iterator[tuple[str | None, type[BaseModel]]]:
        """Each kind with its model: what the location of a mistake goes through."""
        yield from self.items() if len(self) > 1 else ((None, model) for model in self.values())

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        if len(self) == 1:
            return handler.generate_schema(next(iter(self.values())))  # nothing to choose: mistakes are the model's own
        choices: Any = Union[tuple(Annotated[model, Tag(kind)] for kind, model in self.items())]  # noqa: UP007
        if self._say_it():
            return handler.generate_schema(Annotated[choices, Discriminator(self.of)])
        expected = f"expected a mapping with {self._in_words()}"
        return handler.generate_schema(Annotated[choices, Discriminator(self.of, "one_of", expected)])

    def _say_it(self) -> bool:
        return any("kind" in model.model_fields for model in self.values())

    def _in_words(self) -> str:
        """Which keys a value of each kind has."""
        keys = []
        for model in self.values():
            keys.append(" and ".join(name for name, field in model.model_fields.items() if field.is_required()))
        return keys[0] if len(keys) == 1 else f"either {', or '.join(keys)}"


class OneKey:
    """As a note on a model (`Annotated[MODEL, OneKey(TABLE)]`): the model, with a key for every kind of a table."""

    def __init__(self, table: Kinds, model: type[BaseModel]) -> None:
        self._table = table
        self._model = model

    def options(self) -> Iterator[tuple[str | None, type[BaseModel]]]:
        yield None, self._made()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return handler.generate_schema(self._made())

    def _made(self) -> type[BaseModel]:
        model = self._model
        keys: dict[str, Any] = {kind: (found | None, None) for kind, found in self._table.items()}
        return create_model(model.__name__, __base__=model, __doc__=model.__doc__, **keys)


def _requires(model: type[BaseModel], key: str) -> bool:
    """Whether a model requires a key that is another kind's, by which it would be told."""
    field = model.model_fields.get(key)
    return field is not None and field.is_required() and getattr(model, "kind", None) != key


def kind_of(model: type[BaseModel]) -> str:
    """The kind that a model is of: its attribute `kind`, or the only value of its field of that name."""
    field = model.model_fields.get("kind")
    kind = getattr(model, "kind", None) if field is None else field.default
    assert isinstance(kind, str), model
    return kind
