import torch
import torch_npu
with torch.autograd.profiler.profile(use_device="npu" if self.u and x else None, y=torch.npu.is_available()) as p: pass
with torch.autograd.profiler.profile(use_device="npu" if torch.npu.is_available() else None) as p: pass
with torch.autograd.profiler.profile(use_device=None) as p: pass
