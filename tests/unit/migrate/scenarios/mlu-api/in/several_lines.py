import torch
value = (torch
         .cuda
         .max_memory_allocated(
             torch.cuda.current_device(),
         ))
value = torch. \
    cuda.memory_allocated()
