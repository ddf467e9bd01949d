import torch
ä = "日本"; torch.cuda.synchronize(); b = "cuda"; device = "cuda"
