import os

import torch
import torch.backends.cudnn as cudnn
from torch.cuda.amp import autocast

os.environ["CUDA_VISIBLE_DEVICES"] = "0"
os.environ["PYTORCH_CUDA_ALLOC_CONF"] = "max_split_size_mb:64"
cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = True


def run(model, x):
    torch.distributed.init_process_group("nccl" if torch.distributed.is_nccl_available() else "gloo")
    model = model.cuda()
    with autocast(), torch.cuda.stream(torch.cuda.Stream()):
        y = model(x.to("cuda"))
    graph = torch.cuda.CUDAGraph()
    print(torch.cuda.nccl.version(), torch.cuda.utilization(), y.is_cuda)
    return torch.cuda.FloatTensor(1), torch.cuda.FloatStorage(1), graph
