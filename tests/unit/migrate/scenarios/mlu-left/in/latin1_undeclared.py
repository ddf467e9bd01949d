import torch
name = "é"
torch.cuda.synchronize()
