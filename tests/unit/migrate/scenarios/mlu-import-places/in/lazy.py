def available():
    import torch

    return torch.cuda.is_available()


def count():
    if available():
        from torch.cuda import device_count
        return device_count()


def plain():
    import torch
    return torch.zeros(1)
