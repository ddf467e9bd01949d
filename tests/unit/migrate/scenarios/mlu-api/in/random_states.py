import torch

torch.cuda.random.set_rng_state_all(torch.cuda.random.get_rng_state_all())
