import torch_mlu
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def move(model):
    return model.mlu()
