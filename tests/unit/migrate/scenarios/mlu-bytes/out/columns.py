import torch
import torch_mlu
ä = "日本"; torch.mlu.synchronize(); b = "cuda"; device = "mlu"
