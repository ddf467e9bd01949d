import torch

torch.mlu.synchronize()
