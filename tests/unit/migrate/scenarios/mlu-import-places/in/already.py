import torch
import torch_mlu

torch.zeros(1).cuda()
