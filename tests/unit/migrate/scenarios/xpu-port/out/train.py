"""Trains on the card."""

import functools

import torch
import torch.distributed as dist
from torch.amp import GradScaler, autocast
from torch.profiler import ProfilerActivity


class Net(torch.nn.Module):
    def xpu(self, device=None):
        return super().xpu(device)


def train(model, data, enabled):
    dist.init_process_group("xccl")
    device = torch.device("xpu", torch.xpu.current_device())
    model = model.xpu().to(device)
    scaler = GradScaler("xpu", enabled=enabled)
    other = torch.amp.GradScaler ("xpu")
    with autocast("xpu"):
        loss = model(data.xpu(non_blocking=True))
    with autocast(enabled, dtype=torch.float16):
        loss += model(data.to("xpu:0"))
    with torch.amp.autocast("xpu", dtype=torch.bfloat16), torch.autocast("xpu"):
        loss += model(data)
    wrapped = functools.partial(autocast, enabled=enabled)
    print(f"{torch.xpu.memory_allocated()} of {autocast(enabled=False)}", wrapped, other, loss.is_xpu)
    torch.cuda.set_per_process_memory_fraction(0.5)
    torch.cuda.FloatTensor(3)
    graph = torch.cuda.CUDAGraph()
    return scaler, graph, [ProfilerActivity.CPU, ProfilerActivity.XPU]


@autocast("xpu")
def step(x):
    return x.xpu(0)
