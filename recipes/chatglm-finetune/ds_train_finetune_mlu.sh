#!/usr/bin/env bash
# Finetuning on several cards. Every setting is a variable; what stands here is the tutorial's (3.3.3).
# Which cards: run-container --devices; cndsp's own --include did not work for the tutorial's author.
set -euo pipefail
: "${NUM_GPUS:=2}"
: "${LR:=1e-4}"
: "${BATCH_SIZE:=4}"
: "${EVAL_BATCH_SIZE:=1}"
: "${ACCUMULATION_STEPS:=1}"
: "${MAX_STEPS:=5000}"
: "${LOGGING_STEPS:=10}"
: "${SAVE_STEPS:=1000}"
: "${MAX_SOURCE_LENGTH:=64}"
: "${MAX_TARGET_LENGTH:=64}"
: "${MODEL:=../../model}"
: "${DATA:=../AdvertiseGen}"
: "${OUTPUT:=./output/adgen-chatglm-6b-ft-$LR}"
: "${MASTER_PORT:=$(shuf -n 1 -i 10000-65535)}"

exec deepspeed --num_gpus="$NUM_GPUS" --master_port "$MASTER_PORT" main.py \
    --deepspeed deepspeed.json \
    --do_train \
    --train_file "$DATA/train.json" \
    --test_file "$DATA/dev.json" \
    --prompt_column content \
    --response_column summary \
    --overwrite_cache \
    --model_name_or_path "$MODEL" \
    --output_dir "$OUTPUT" \
    --overwrite_output_dir \
    --max_source_length "$MAX_SOURCE_LENGTH" \
    --max_target_length "$MAX_TARGET_LENGTH" \
    --per_device_train_batch_size "$BATCH_SIZE" \
    --per_device_eval_batch_size "$EVAL_BATCH_SIZE" \
    --gradient_accumulation_steps "$ACCUMULATION_STEPS" \
    --predict_with_generate \
    --max_steps "$MAX_STEPS" \
    --logging_steps "$LOGGING_STEPS" \
    --save_steps "$SAVE_STEPS" \
    --learning_rate "$LR" \
    --fp16 \
    "$@"
