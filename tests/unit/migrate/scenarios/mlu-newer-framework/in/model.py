import torch
from torch.cuda import nvtx
from torch.profiler import ProfilerActivity, profile

torch.cuda.ipc_collect()
torch.cuda.random.get_rng_state_all()
torch.cuda.reset_peak_memory_stats()
stream = torch.cuda.Stream()
graph = torch.cuda.CUDAGraph()
nvtx.range_push("x")
torch.cuda.nvtx.range_pop()
torch.cuda.nccl.version()
torch.backends.cuda.matmul.allow_tf32 = True
torch.backends.cudnn.allow_tf32 = True
torch.backends.cudnn.benchmark = True
dtype = torch.get_autocast_gpu_dtype()
with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as p:
    pass
with torch.autograd.profiler.profile(use_cuda=True) as p:
    print(p.key_averages().table(sort_by="cuda_time_total"))
torch.distributed.is_nccl_available()
q = torch.concat([a, b])
