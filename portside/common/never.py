"""The end of a `match` over all types of a union: a type that was forgotten there is an error of mypy."""

from typing import NoReturn


def never(value: NoReturn) -> NoReturn:
    """What stands behind the last case. mypy accepts the call only where no type is left that `value` may have."""
    raise AssertionError(f"no case is for {value!r}")
