"""Models that are written as before some of their keys came, where those say nothing."""

from typing import Any, ClassVar

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer


class Sparing(BaseModel):
    """A model that is written without those of its fields that came later than it, as long as they have their default:
    what a recipe of before them asks for, and what its lock says, stays the same to the byte.

    later: the names of these fields.
    """

    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        silent = {name for name in self.later if getattr(self, name) == fields[name].get_default()}
        return {key: value for key, value in write(self).items() if key not in silent}
