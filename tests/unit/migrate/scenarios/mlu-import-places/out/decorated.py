import torch_mlu
@register
class A:
    def f(self, x):
        return x.mlu()
