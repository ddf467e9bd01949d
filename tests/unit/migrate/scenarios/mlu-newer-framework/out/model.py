import torch
import torch_mlu
from torch.mlu import cnpx as nvtx
from torch.profiler import ProfilerActivity, profile

torch.mlu.ipc_collect()
torch.mlu.random.get_rng_state_all()
torch.mlu.reset_peak_memory_stats()
stream = torch.mlu.Stream()
graph = torch.mlu.MLUGraph()
nvtx.range_push("x")
torch.mlu.cnpx.range_pop()
torch.mlu.cncl.version()
torch.backends.mlu.matmul.allow_tf32 = True
torch.backends.cnnl.allow_tf32 = True
torch.backends.cudnn.benchmark = True
dtype = torch.mlu.get_autocast_dtype()
with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.MLU]) as p:
    pass
with torch.autograd.profiler.profile(use_mlu=True) as p:
    print(p.key_averages().table(sort_by="mlu_time_total"))
torch.distributed.is_cncl_available()
q = torch.concat([a, b])
