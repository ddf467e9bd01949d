import torch
import torch_mlu

where = f"{'mlu' if ok else 'cpu'}:{0}"
print(f"{kinds['cuda']} {x.to('mlu')} {y:{width}} {z!r:>10} {a == b} {(lambda q: q)(1)} {d['k']:=^3}")

x = torch.device(f"mlu:{rank % torch.mlu.device_count()}")
