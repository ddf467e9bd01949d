import torch as th
import torch.cuda
import torch.cuda as c
import torch.cuda.amp as mixed
from torch import cuda
from torch import cuda as other
from torch.cuda import amp, is_available
from torch.cuda.amp import autocast as cast, GradScaler

th.cuda.synchronize()
c.synchronize()
c.ipc_collect()
cuda.synchronize()
cuda.ipc_collect()
other.empty_cache()
with amp.autocast(), mixed.autocast(), cast():
    is_available()
GradScaler()
