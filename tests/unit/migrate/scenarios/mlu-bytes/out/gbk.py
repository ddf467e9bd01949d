#!/usr/bin/python
# vim: set fileencoding=gbk :
import torch
import torch_mlu
print("你好", torch.mlu.device_count())
