import torch
import torch_mlu
value = (torch
         .mlu
         .max_memory_allocated(
             torch.mlu.current_device(),
         ))
value = torch. \
    mlu.memory_allocated()
