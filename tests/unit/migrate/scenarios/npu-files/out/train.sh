#!/bin/bash
export ASCEND_RT_VISIBLE_DEVICES=0
python train.py --device npu:0 --backend hccl --dist-backend="hccl" cuda /opt/cuda/lib # cuda
DEVICE=npu python x
