import os

import torch
import torch_musa
import torch.backends.cudnn as cudnn
from torch.musa.amp import autocast

os.environ["MUSA_VISIBLE_DEVICES"] = "0"
os.environ["PYTORCH_MUSA_ALLOC_CONF"] = "max_split_size_mb:64"
cudnn.benchmark = True
torch.backends.mudnn.allow_tf32 = True


def run(model, x):
    torch.distributed.init_process_group("mccl" if torch.distributed.is_mccl_available() else "gloo")
    model = model.musa()
    with autocast(), torch.musa.stream(torch.musa.Stream()):
        y = model(x.to("musa"))
    graph = torch.musa.MUSAGraph()
    print(torch.musa.mccl.version(), torch.cuda.utilization(), y.is_musa)
    return torch.cuda.FloatTensor(1), torch.musa.FloatStorage(1), graph
