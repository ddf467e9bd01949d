# coding: utf-8
import torch
torch.cuda.synchronize()
