from torch.cuda import is_available, ipc_collect

is_available()
ipc_collect()
