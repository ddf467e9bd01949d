try:
    import torch
    import torch_mlu
except ImportError:
    torch = None

if torch is not None:
    torch.zeros(1).mlu()
