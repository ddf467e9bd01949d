import torch
x = """cuda
