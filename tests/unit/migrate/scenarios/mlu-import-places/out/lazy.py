def available():
    import torch
    import torch_mlu

    return torch.mlu.is_available()


def count():
    if available():
        import torch_mlu
        from torch.mlu import device_count
        return device_count()


def plain():
    import torch
    return torch.zeros(1)
