from torch import (
    nn,
    optim,
)
import torch_mlu
nn.Linear(1, 1).mlu()
