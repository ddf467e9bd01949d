import torch.distributed as dist

dist.init_process_group("nccl", init_method="env://")
dist.init_process_group(backend='nccl' if fast else 'gloo')
dist.init_process_group(backend="cpu:gloo,cuda:nccl")
if args.backend == "nccl" and dist.get_backend() == "nccl":
    pass
dist.is_nccl_available()
setup("nccl")
timeouts = {"nccl": 30}
