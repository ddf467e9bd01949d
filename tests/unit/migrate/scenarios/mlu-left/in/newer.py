import torch
x = f"{a["cuda"]}"
