import os
os.environ["CUDA_VISIBLE_DEVICES"] = "0"
os.environ.setdefault('CUDA_VISIBLE_DEVICES', "0")
environment = dict(os.environ, CUDA_VISIBLE_DEVICES="0", NCCL_DEBUG="INFO")
command = "CUDA_VISIBLE_DEVICES=0 python train.py"
print("set CUDA_VISIBLE_DEVICES to choose cards")
CUDA_VISIBLE_DEVICES = "0"
os.environ["CUDA_LAUNCH_BLOCKING"] = "1"
os.environ["NCCL_BLOCKING_WAIT"] = "1"
