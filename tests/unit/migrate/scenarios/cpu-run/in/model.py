import torch
from torch.cuda.amp import autocast, GradScaler

if torch.cuda.is_available():
    torch.cuda.empty_cache()
    torch.cuda.synchronize()
device = torch.device("cuda:1")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
x = torch.zeros(1).cuda().cuda(1).cuda(device="cuda", non_blocking=True)
x = x.to(f"cuda:{i}").to("cuda:%d" % i).to("cuda:" + str(i)).to('cuda:{}'.format(i))
if x.is_cuda:
    pass
torch.distributed.init_process_group(backend="nccl")
torch.cuda.FloatTensor(1)
torch.cuda.made_up()
os.environ["CUDA_VISIBLE_DEVICES"] = "0"


class Box:
    def cuda(self):
        return self
