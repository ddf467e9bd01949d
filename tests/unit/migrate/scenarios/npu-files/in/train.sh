#!/bin/bash
export CUDA_VISIBLE_DEVICES=0
python train.py --device cuda:0 --backend nccl --dist-backend="nccl" cuda /opt/cuda/lib # cuda
DEVICE=cuda python x
