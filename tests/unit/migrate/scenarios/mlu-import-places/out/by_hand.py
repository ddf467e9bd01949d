import torch
import torch_mlu

torch.mlu.synchronize()
