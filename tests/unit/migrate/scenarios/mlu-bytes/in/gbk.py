#!/usr/bin/python
# vim: set fileencoding=gbk :
import torch
print("你好", torch.cuda.device_count())
