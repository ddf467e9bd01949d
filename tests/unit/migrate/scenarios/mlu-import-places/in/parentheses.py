from torch import (
    nn,
    optim,
)
nn.Linear(1, 1).cuda()
