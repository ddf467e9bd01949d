import torch
torch.cuda.synchronize()
#   cuda
torch.cuda.synchronize()