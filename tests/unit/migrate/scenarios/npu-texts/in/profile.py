import torch
with torch.autograd.profiler.profile(use_cuda=self.u and x, y=torch.cuda.is_available()) as p: pass
with torch.autograd.profiler.profile(use_cuda=torch.cuda.is_available()) as p: pass
with torch.autograd.profiler.profile(use_cuda=False) as p: pass
