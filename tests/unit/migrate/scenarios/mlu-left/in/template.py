import torch
x = t"{a} cuda"
