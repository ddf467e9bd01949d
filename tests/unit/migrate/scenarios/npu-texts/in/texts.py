import dataclasses
from dataclasses import dataclass, field
from unittest.mock import patch

import click
import pytest
import torch
from pydantic import BaseModel, Field

torch.set_default_tensor_type("torch.cuda.FloatTensor")
wide = torch.zeros(1).type("torch.cuda.DoubleTensor")
TYPES = {"torch.cuda.HalfTensor": 2}
torch.cuda.current_stream = torch.xpu.current_stream
setattr(torch.cuda, "synchronize", print)
fast = getattr(torch.cuda, "nvtx", None)
kind = getattr(torch, dtype)
graph = hasattr(torch.cuda, "CUDAGraph")


@dataclass
class Config:
    device: str = field(default="cuda", metadata={"help": "the cuda device"})
    dist_backend: str = dataclasses.field(default_factory=lambda: "nccl")
    name: str = field(default="cuda")


class Settings(BaseModel):
    device_type: str = Field("cuda", description="cuda or cpu")


@click.option("--device", default="cuda")
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda")])
@patch("torch.cuda.is_available", return_value=True)
def test_device(device):
    devices = ["cpu"] + ["cuda"]
    device, dtype = "cuda", torch.half
    devices.append("cuda")


class Loader:
    @property
    def device(self):
        return "cuda"

    def title(self):
        return "cuda"


def load(path, device):
    return torch.load(path, map_location=device)


load("x.pt", "cuda")
print("cuda")
other("cuda")
with torch.autograd.profiler.profile(use_cuda=True) as prof:
    pass
prof.key_averages().table(sort_by="cuda_time_total")
providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
subprocess.run(["nvidia-smi", "-L"])
