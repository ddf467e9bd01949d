import torch

run("cuda")
run("cuda:0")
kind = "cuda"
getattr(torch, "cuda")
hasattr(torch.cuda, "amp")
joined = "cu" "da"
whole = ("cuda"
         ":0")
patch("torch.cuda.is_available")
