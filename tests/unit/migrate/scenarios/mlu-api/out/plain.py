import torch
import torch_mlu

if torch.mlu.is_available():
    torch.mlu.set_device(0)
    print(torch.mlu.device_count(), torch.mlu.get_device_name(0))
    with torch.mlu.device(1):
        torch.mlu.empty_cache()
    torch.cuda.ipc_collect()
    state = torch.cuda.get_rng_state()
    torch.cuda.not_known_to_anyone()
scaler = torch.mlu.amp.GradScaler()
with torch.mlu.amp.autocast(enabled=False):
    pass
tensor = torch.mlu.FloatTensor(3)
device_api = torch.mlu
