import dataclasses
from dataclasses import dataclass, field
from unittest.mock import patch

import click
import pytest
import torch
import torch_npu
from pydantic import BaseModel, Field

torch.set_default_tensor_type("torch.npu.FloatTensor")
wide = torch.zeros(1).type("torch.npu.DoubleTensor")
TYPES = {"torch.cuda.HalfTensor": 2}
torch.cuda.current_stream = torch.xpu.current_stream
setattr(torch.cuda, "synchronize", print)
fast = getattr(torch.npu, "nvtx", None)
kind = getattr(torch, dtype)
graph = hasattr(torch.npu, "NPUGraph")


@dataclass
class Config:
    device: str = field(default="npu", metadata={"help": "the cuda device"})
    dist_backend: str = dataclasses.field(default_factory=lambda: "hccl")
    name: str = field(default="cuda")


class Settings(BaseModel):
    device_type: str = Field("npu", description="cuda or cpu")


@click.option("--device", default="npu")
@pytest.mark.parametrize("device", ["cpu", pytest.param("npu")])
@patch("torch.npu.is_available", return_value=True)
def test_device(device):
    devices = ["cpu"] + ["npu"]
    device, dtype = "npu", torch.half
    devices.append("npu")


class Loader:
    @property
    def device(self):
        return "npu"

    def title(self):
        return "cuda"


def load(path, device):
    return torch.load(path, map_location=device)


load("x.pt", "npu")
print("cuda")
other("cuda")
with torch.autograd.profiler.profile(use_device="npu") as prof:
    pass
prof.key_averages().table(sort_by="device_time_total")
providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
subprocess.run(["nvidia-smi", "-L"])
