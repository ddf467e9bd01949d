try:
    import torch
except ImportError:
    torch = None

if torch is not None:
    torch.zeros(1).cuda()
