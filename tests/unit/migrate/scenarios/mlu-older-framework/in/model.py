import torch
import torch as th
from torch import concat, cat
from torch.nn.utils import skip_init

torch._C._jit_set_profiling_mode(False)
torch._C._jit_set_profiling_executor(False)
q = torch.concat([a, b], dim=-1)
q = th.concat([a, b])
q = concat([a, b])
layer = skip_init(torch.nn.Linear, 1, 1)
dtype = torch.get_autocast_gpu_dtype()
