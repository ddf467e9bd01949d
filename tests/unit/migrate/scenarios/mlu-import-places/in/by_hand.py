import torch

torch.mlu.synchronize()
state = torch.mlu.random.get_rng_state()
