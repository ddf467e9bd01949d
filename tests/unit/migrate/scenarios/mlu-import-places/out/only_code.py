import torch_mlu
model.half().mlu()