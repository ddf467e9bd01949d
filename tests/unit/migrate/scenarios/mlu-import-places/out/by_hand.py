import torch
import torch_mlu

torch.mlu.synchronize()
state = torch_mlu.core.random.get_rng_state()
