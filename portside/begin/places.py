"""What lies elsewhere in the repository, where people look for it, and below this folder in an installed package."""

from pathlib import Path

_HERE = Path(__file__).parent


def place(packed: str, checkout: str) -> Path:
    """A folder of the package or, where Portside runs from a checkout, of the checkout."""
    return _HERE / packed if (_HERE / packed).is_dir() else _HERE.parents[1] / checkout
