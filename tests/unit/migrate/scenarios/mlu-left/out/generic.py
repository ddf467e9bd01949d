import torch


def first[T](x: list[T]) -> T:
    return x[0].cuda()
