import torch
from torch import nn
from torch.cuda import amp


class Block(nn.Module):
    def cuda(self):
        return self.apply(nn.Module.cuda)


def run(model, x, rank):
    torch.cuda.set_device(rank)
    torch.cuda.manual_seed_all(1)
    model = model.cuda()
    x = x.cuda(non_blocking=True)
    y = x.cuda(rank)
    with amp.autocast(dtype=torch.bfloat16):
        out = model(x)
    if out.is_cuda and torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    start = torch.cuda.Event(enable_timing=True)
    torch.distributed.init_process_group(backend="nccl")
    return out.double(), y.to(torch.float64), start, torch.cuda.get_device_properties(0), torch.jit.script(model)
