import torch
import torch_mlu


def uses():
    return torch.mlu.is_available()


def hides(torch):
    return torch.cuda.is_available()


def binds():
    torch = lookup()
    return [torch.cuda.is_available() for _ in range(2)]


def imports_again():
    import torch
    return torch.mlu.is_available()


class Holder:
    def __init__(self):
        import torch
        self.torch = torch

    def ask(self):
        return self.torch.mlu.is_available()
