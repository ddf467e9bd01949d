import os
import torch_mlu
from torch.mlu import is_available
import torch

is_available()
