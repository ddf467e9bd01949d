import torch
from torch import nn
from torch.cuda import amp


class Block(nn.Module):
    def cuda(self):
        return self.apply(nn.Module.cuda)


def run(model, x, rank):
    torch.hpu.set_device(rank)
    torch.hpu.random.manual_seed_all(1)
    model = model.to("hpu")
    x = x.to("hpu", non_blocking=True)
    y = x.cuda(rank)
    with torch.amp.autocast("hpu", dtype=torch.bfloat16):
        out = model(x)
    if out.is_cuda and torch.hpu.is_available():
        torch.hpu.synchronize()
        torch.cuda.empty_cache()
    start = torch.hpu.Event(enable_timing=True)
    torch.distributed.init_process_group(backend="hccl")
    return out.double(), y.to(torch.float64), start, torch.cuda.get_device_properties(0), torch.jit.script(model)
