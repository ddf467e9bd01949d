import apex
import bitsandbytes as bnb
from triton import language as tl
from cpm_kernels.kernels.base import LazyKernelCModule
from torch.utils.cpp_extension import CUDAExtension, BuildExtension, load
import torch
import torch.utils.cpp_extension as ext

ext.CUDAExtension("name", ["kernel.cu"])
value = getattr(torch, name)
value = getattr(torch, "float16")
x = torch.zeros(1).to(0).to(device=1)
torch.device(2)
torch.load(path, map_location=0)
y = x.to(torch.float64).double()
torch.backends.cudnn.benchmark = True
torch.backends.cuda.matmul.allow_tf32 = True
if torch.version.cuda is not None:
    pass
