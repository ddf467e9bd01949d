def f(x): return x.mlu()
import torch
import torch_mlu