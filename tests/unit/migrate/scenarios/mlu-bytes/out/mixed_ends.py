import torch
import torch_mlu
torch.mlu.synchronize()
#   cuda
torch.mlu.synchronize()