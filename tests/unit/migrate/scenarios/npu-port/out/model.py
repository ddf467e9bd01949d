import torch
import torch_npu
from torch.npu.amp import autocast

if torch.npu.is_available() and torch.distributed.is_hccl_available():
    device = torch.device("npu:0")
    torch.distributed.init_process_group("hccl")
x = torch.zeros(1).npu().to(f"npu:{i}")
x.is_npu
graph = torch.npu.NPUGraph()
torch.cuda.memory_usage()
torch.cuda.nvtx.mark("x")
torch.npu.ipc_collect()
activity = torch_npu.profiler.ProfilerActivity.NPU


@torch.jit.script
def f(x):
    return x
