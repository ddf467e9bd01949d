import torch

where = f"{'cuda' if ok else 'cpu'}:{0}"
print(f"{kinds['cuda']} {x.to('cuda')} {y:{width}} {z!r:>10} {a == b} {(lambda q: q)(1)} {d['k']:=^3}")

x = torch.device(f"cuda:{rank % torch.cuda.device_count()}")
