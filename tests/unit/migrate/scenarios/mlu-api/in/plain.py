import torch

if torch.cuda.is_available():
    torch.cuda.set_device(0)
    print(torch.cuda.device_count(), torch.cuda.get_device_name(0))
    with torch.cuda.device(1):
        torch.cuda.empty_cache()
    torch.cuda.ipc_collect()
    state = torch.cuda.get_rng_state()
    torch.cuda.not_known_to_anyone()
scaler = torch.cuda.amp.GradScaler()
with torch.cuda.amp.autocast(enabled=False):
    pass
tensor = torch.cuda.FloatTensor(3)
device_api = torch.cuda
