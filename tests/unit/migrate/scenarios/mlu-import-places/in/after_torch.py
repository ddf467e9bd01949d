import os
import torch  # noqa

x = torch.zeros(1).cuda()
