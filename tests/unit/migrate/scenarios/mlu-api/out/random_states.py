import torch
import torch_mlu

torch_mlu.core.random.set_rng_state_all(torch_mlu.core.random.get_rng_state_all())
