# coding: utf-8
import torch
import torch_mlu
torch.mlu.synchronize()
