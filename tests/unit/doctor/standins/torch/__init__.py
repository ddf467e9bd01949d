"""As much of PyTorch as the program asks for, computed on the processor; CARD_FAULT makes something fail."""

import os
from typing import Any

FAULT = os.environ.get("CARD_FAULT", "")


class Tensor:
    def __init__(self, rows: list[Any], device: str = "cpu") -> None:
        self.rows = rows if rows and isinstance(rows[0], list) else [list(rows)]
        self.device = device

    def to(self, device: str) -> "Tensor":
        if device.startswith("card") and int(device.partition(":")[2]) >= card.device_count():
            raise RuntimeError(f"invalid device {device}")
        return Tensor([list(row) for row in self.rows], device)

    def __sub__(self, other: "Tensor") -> "Tensor":
        return Tensor([[a - b for a, b in zip(x, y, strict=True)] for x, y in zip(self.rows, other.rows, strict=True)])

    def abs(self) -> "Tensor":
        return Tensor([[abs(a) for a in row] for row in self.rows])

    def max(self) -> float:
        return float(max(max(row) for row in self.rows))

    def sum(self) -> float:
        return float(sum(sum(row) for row in self.rows))


def tensor(rows: list[Any]) -> Tensor:
    return Tensor(rows)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    columns = list(zip(*b.rows, strict=True))
    rows = [[sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in a.rows]
    if FAULT == "wrong" and a.device == "card:1":
        rows[3][4] += 1.0
    return Tensor(rows, a.device)


class _Card:
    """What a plug-in registers as torch.card."""

    @staticmethod
    def device_count() -> int:
        return int(os.environ.get("CARDS", "0"))

    @staticmethod
    def set_device(index: int) -> None:
        pass


card = _Card()
