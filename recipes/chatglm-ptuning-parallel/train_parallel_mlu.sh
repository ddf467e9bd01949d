#!/usr/bin/env bash
# P-Tuning v2 with the model over two cards. Every setting is a variable; what stands here is the tutorial's (3.2.3).
set -euo pipefail
: "${PRE_SEQ_LEN:=8}"
: "${LR:=1e-2}"
: "${BATCH_SIZE:=4}"
: "${EVAL_BATCH_SIZE:=1}"
: "${ACCUMULATION_STEPS:=1}"
: "${MAX_STEPS:=3000}"
: "${LOGGING_STEPS:=10}"
: "${SAVE_STEPS:=1000}"
: "${MAX_SOURCE_LENGTH:=64}"
: "${MAX_TARGET_LENGTH:=64}"
: "${MODEL:=../../model}"
: "${DATA:=../AdvertiseGen}"
: "${OUTPUT:=output/adgen-chatglm-6b-pt-$PRE_SEQ_LEN-$LR}"

exec python3 main_parallel.py \
    --do_train \
    --train_file "$DATA/train.json" \
    --validation_file "$DATA/dev.json" \
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
    --pre_seq_len "$PRE_SEQ_LEN" \
    "$@"
