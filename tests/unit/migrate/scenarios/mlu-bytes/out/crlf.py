import torch
import torch_mlu
x = "é"
torch.mlu.synchronize()
