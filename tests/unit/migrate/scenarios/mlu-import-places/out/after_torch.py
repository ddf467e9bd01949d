import os
import torch  # noqa
import torch_mlu

x = torch.zeros(1).mlu()
