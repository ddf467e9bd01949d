import torch as th
import torch_mlu
import torch.mlu
import torch.mlu as c
import torch.mlu.amp as mixed
from torch import mlu as cuda
from torch import mlu as other
from torch.mlu import amp, is_available
from torch.mlu.amp import autocast as cast, GradScaler

th.mlu.synchronize()
c.synchronize()
c.ipc_collect()
cuda.synchronize()
cuda.ipc_collect()
other.empty_cache()
with amp.autocast(), mixed.autocast(), cast():
    is_available()
GradScaler()
