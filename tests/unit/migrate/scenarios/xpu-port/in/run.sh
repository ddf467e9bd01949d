#!/bin/sh
CUDA_VISIBLE_DEVICES=0,1 NCCL_DEBUG=INFO python train.py --device cuda:0 --backend nccl
nvidia-smi
