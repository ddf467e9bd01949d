# -*- coding: latin-1 -*-
import torch
import torch_mlu
name = "é"; torch.mlu.synchronize()  # ü cuda
