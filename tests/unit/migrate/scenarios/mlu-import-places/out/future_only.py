"""Doc."""; from __future__ import annotations
import torch_mlu
x.mlu()
