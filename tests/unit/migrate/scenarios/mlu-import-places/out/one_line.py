import torch; import torch_mlu; x = torch.zeros(1).mlu()
