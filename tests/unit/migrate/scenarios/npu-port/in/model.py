import torch
from torch.cuda.amp import autocast

if torch.cuda.is_available() and torch.distributed.is_nccl_available():
    device = torch.device("cuda:0")
    torch.distributed.init_process_group("nccl")
x = torch.zeros(1).cuda().to(f"cuda:{i}")
x.is_cuda
graph = torch.cuda.CUDAGraph()
torch.cuda.memory_usage()
torch.cuda.nvtx.mark("x")
torch.cuda.ipc_collect()
activity = torch.profiler.ProfilerActivity.CUDA


@torch.jit.script
def f(x):
    return x
