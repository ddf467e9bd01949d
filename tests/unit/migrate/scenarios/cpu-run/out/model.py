import torch
from torch.cuda.amp import autocast, GradScaler

if torch.cuda.is_available():
    torch.cuda.empty_cache()
    torch.cpu.synchronize()
device = torch.device("cpu")
DEVICE = "cpu" if torch.cuda.is_available() else "cpu"
x = torch.zeros(1).cpu().cpu().cpu()
x = x.to("cpu").to("cpu").to("cpu").to('cpu')
if x.is_cuda:
    pass
torch.distributed.init_process_group(backend="gloo")
torch.FloatTensor(1)
torch.cuda.made_up()
os.environ["CUDA_VISIBLE_DEVICES"] = "0"


class Box:
    def cuda(self):
        return self
