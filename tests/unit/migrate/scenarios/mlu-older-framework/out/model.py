import torch
import torch as th
from torch import cat as concat, cat
from torch.nn.utils import skip_init

torch._C._jit_set_profiling_mode(False)
torch._C._jit_set_profiling_executor(False)
q = torch.cat([a, b], dim=-1)
q = th.cat([a, b])
q = concat([a, b])
layer = skip_init(torch.nn.Linear, 1, 1)
dtype = torch.get_autocast_gpu_dtype()
