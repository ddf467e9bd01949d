import torch
import torch_npu

try:
    import flash_attn
    import xformers
except ImportError:
    flash_attn = None

import cupy

if torch.npu.is_available():
    print(torch.cuda.memory_usage())
if torch.__version__ >= "2.1" and torch.cuda.comm.scatter:
    pass
x = torch.cuda.nvtx if hasattr(torch.npu, "nvtx") else None
torch.cuda.memory_usage()
