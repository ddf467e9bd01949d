# coding: no-such
import torch
torch.cuda.synchronize()
