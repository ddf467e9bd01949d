"""Trains on the card."""

import functools

import torch
import torch.distributed as dist
from torch.cuda.amp import GradScaler, autocast
from torch.profiler import ProfilerActivity


class Net(torch.nn.Module):
    def cuda(self, device=None):
        return super().cuda(device)


def train(model, data, enabled):
    dist.init_process_group("nccl")
    device = torch.device("cuda", torch.cuda.current_device())
    model = model.cuda().to(device)
    scaler = GradScaler(enabled=enabled)
    other = torch.cuda.amp.GradScaler ()
    with autocast():
        loss = model(data.cuda(non_blocking=True))
    with autocast(enabled, dtype=torch.float16):
        loss += model(data.to("cuda:0"))
    with torch.cuda.amp.autocast(dtype=torch.bfloat16), torch.autocast("cuda"):
        loss += model(data)
    wrapped = functools.partial(autocast, enabled=enabled)
    print(f"{torch.cuda.memory_allocated()} of {autocast(enabled=False)}", wrapped, other, loss.is_cuda)
    torch.cuda.set_per_process_memory_fraction(0.5)
    torch.cuda.FloatTensor(3)
    graph = torch.cuda.CUDAGraph()
    return scaler, graph, [ProfilerActivity.CPU, ProfilerActivity.CUDA]


@autocast()
def step(x):
    return x.cuda(0)
