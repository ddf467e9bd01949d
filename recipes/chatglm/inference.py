"""How fast the model answers: a few questions, and for each the seconds and characters per second."""

import argparse
import time

import torch
from transformers import AutoModel, AutoTokenizer

QUESTIONS = ("ChatGLM-6B 是啥?", "ChatGPT 是啥?", "ChatGLM-6B 与 ChatGPT 有什么区别?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", nargs="*", default=QUESTIONS)
    parser.add_argument("--model", default="../model")
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.model, trust_remote_code=True)
    model = AutoModel.from_pretrained(options.model, trust_remote_code=True)
    model = (model.half().mlu() if hasattr(torch, "mlu") else model.float()).eval()
    # The first answer pays for everything that is set up only once.
    answer, history = model.chat(tokenizer, "Hi...", history=[])
    print(answer)
    for question in options.questions:
        start = time.perf_counter()
        answer, history = model.chat(tokenizer, question, history=history)
        seconds = time.perf_counter() - start
        print(f"\nquestion: {question}\nanswer: {answer}")
        print(f"{len(answer)} characters in {seconds:.2f} s: {len(answer) / seconds:.2f} characters/s")


if __name__ == "__main__":
    main()
