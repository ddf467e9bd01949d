"""Code that already knows the card."""
import torch
import torch_npu
from transformers.utils import is_torch_npu_available

try:
    from torch.npu.amp import autocast
except ImportError:
    from torch.cuda.amp import autocast

DEVICES = ["cpu", "cuda", "npu"]
MODULES = {"cuda": torch.cuda, "npu": torch.npu}
cuda_backend = "nccl"
npu_backend = "hccl"


def stream_of(x):
    if x.is_cuda or x.is_npu:
        return 1
    if x.device.type == "cuda":
        return torch.cuda.current_stream()
    if x.device.type == "npu":
        return torch.npu.current_stream()
    return x.npu()


def backend_of(name):
    if name == "nccl":
        return torch.cuda.nccl
    elif name == "hccl":
        return torch.npu.hccl
    match name:
        case "cuda":
            return torch.cuda.device_count()
        case "npu":
            return torch.npu.device_count()


class Model:
    def cuda(self):
        return self.x.cuda()

    def npu(self):
        return self.x.npu()


def device():
    chosen = "npu" if is_torch_npu_available() else "cuda" if torch.cuda.is_available() else "cpu"
    return chosen.replace("cuda", "npu")


def unaware(x):
    return x.npu()
