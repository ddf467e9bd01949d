import torch
import torch_mlu

run("cuda")
run("mlu:0")
kind = "cuda"
getattr(torch, "mlu")
hasattr(torch.mlu, "amp")
joined = "cu" "da"
whole = ("cuda"
         ":0")
patch("torch.mlu.is_available")
