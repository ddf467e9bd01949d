import torch


class CUDA_Accelerator:
    def synchronize(self):
        return torch.cuda.synchronize()
