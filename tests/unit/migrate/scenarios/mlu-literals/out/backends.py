import torch.distributed as dist
import torch_mlu

dist.init_process_group("cncl", init_method="env://")
dist.init_process_group(backend='cncl' if fast else 'gloo')
dist.init_process_group(backend="cpu:gloo,mlu:cncl")
if args.backend == "cncl" and dist.get_backend() == "cncl":
    pass
dist.is_nccl_available()
setup("nccl")
timeouts = {"nccl": 30}
