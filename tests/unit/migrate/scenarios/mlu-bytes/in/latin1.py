# -*- coding: latin-1 -*-
import torch
name = "é"; torch.cuda.synchronize()  # ü cuda
