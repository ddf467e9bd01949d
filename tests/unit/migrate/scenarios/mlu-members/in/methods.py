import torch
import torch.nn as nn


class Box:
    def __init__(self, tensor, args):
        self.tensor = tensor
        self.cuda = args.cuda

    def cuda(self, device=None):
        return Box(self.tensor.cuda(device))

    @property
    def is_cuda(self):
        return self.tensor.is_cuda


model = nn.Linear(1, 1).half().cuda()
model.cuda(0).eval()
model = torch.nn.DataParallel(model.cuda(device=1), device_ids=[0])
list(map(torch.Tensor.cuda, []))
method = model.cuda
if args.cuda and model.weight.is_cuda:
    pass
x = data["cuda"].cuda(non_blocking=True)
super().cuda()
