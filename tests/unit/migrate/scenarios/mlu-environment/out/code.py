import os
os.environ["MLU_VISIBLE_DEVICES"] = "0"
os.environ.setdefault('MLU_VISIBLE_DEVICES', "0")
environment = dict(os.environ, MLU_VISIBLE_DEVICES="0", NCCL_DEBUG="INFO")
command = "MLU_VISIBLE_DEVICES=0 python train.py"
print("set CUDA_VISIBLE_DEVICES to choose cards")
CUDA_VISIBLE_DEVICES = "0"
os.environ["CUDA_LAUNCH_BLOCKING"] = "1"
os.environ["CNCL_BLOCKING_WAIT"] = "1"
