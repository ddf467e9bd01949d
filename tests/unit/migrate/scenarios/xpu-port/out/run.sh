#!/bin/sh
ZE_AFFINITY_MASK=0,1 NCCL_DEBUG=INFO python train.py --device xpu:0 --backend xccl
nvidia-smi
