import os
from torch.cuda import is_available
import torch

is_available()
