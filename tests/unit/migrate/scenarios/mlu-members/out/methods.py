import torch
import torch_mlu
import torch.nn as nn


class Box:
    def __init__(self, tensor, args):
        self.tensor = tensor
        self.cuda = args.cuda

    def mlu(self, device=None):
        return Box(self.tensor.mlu(device))

    @property
    def is_mlu(self):
        return self.tensor.is_mlu


model = nn.Linear(1, 1).half().mlu()
model.mlu(0).eval()
model = torch.nn.DataParallel(model.mlu(device=1), device_ids=[0])
list(map(torch.Tensor.mlu, []))
method = model.cuda
if args.cuda and model.weight.is_mlu:
    pass
x = data["cuda"].mlu(non_blocking=True)
super().mlu()
