import torch
import torch_mlu

run("cuda")
run("mlu:0")
kind = "cuda"
getattr(torch, "cuda")
hasattr(torch.mlu, "amp")
joined = "cu" "da"
whole = ("cuda"
         ":0")
patch("torch.cuda.is_available")
