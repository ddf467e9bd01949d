import torch
x = "é"
torch.cuda.synchronize()
