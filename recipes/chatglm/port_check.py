"""Does the ported code compute? A small model with random weights, built by the model's own code: no weights needed.

    port_check.py MODEL                 forward pass and a few generated tokens
    port_check.py MODEL --train         and ten steps of P-Tuning v2; the loss must fall at each
    port_check.py MODEL --torch-1.9     as if torch were 1.9: without what came later
    port_check.py MODEL --class A.B:C   class C of module A.B, from the current folder, instead of the model's own

MODEL is a folder with config.json and the code that `trust_remote_code` runs.
"""

import argparse
import importlib.util
import os
import sys
from typing import Any

import torch

SMALL = {"num_layers": 2, "hidden_size": 64, "inner_hidden_size": 256, "num_attention_heads": 4}
LATER_THAN_1_9 = ((torch.nn.utils, "skip_init"), (torch, "concat"))
SENTENCE = (5, 65421, 61, 67329, 32, 98339, 61, 72043)
"""The first tokens of the tutorial's training example (3.1.4)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--torch-1.9", dest="old", action="store_true")
    parser.add_argument("--class", dest="model_class", default="")
    parser.add_argument("--device", help="default: mlu where there is a card, else cpu")
    options = parser.parse_args()
    if options.old:
        for module, name in LATER_THAN_1_9:
            if hasattr(module, name):
                delattr(module, name)
    device = options.device or default_device()
    model = make(options.model, options.model_class, device)
    print(f"{type(model).__module__}.{type(model).__name__}, torch {torch.__version__} on {device}")
    generate(model, device)
    if options.train:
        train(make(options.model, options.model_class, device, pre_seq_len=8), device)


def default_device() -> str:
    """The card, where there is one. A card that was given and cannot be used is what this check is for, not a reason
    to compute elsewhere."""
    if importlib.util.find_spec("torch_mlu") is not None:
        try:
            importlib.import_module("torch_mlu")  # torch.mlu comes with it
            if torch.mlu.is_available():
                return "mlu"
        except ImportError as error:
            print(f"torch_mlu cannot be imported: {error}", file=sys.stderr)
    if os.environ.get("MLU_VISIBLE_DEVICES"):
        sys.exit(f"MLU_VISIBLE_DEVICES is {os.environ['MLU_VISIBLE_DEVICES']}, but torch finds no card")
    return "cpu"


def make(folder: str, model_class: str, device: str, **more: Any) -> Any:
    """The model of `folder`, scaled down; the same random weights every time."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder, trust_remote_code=True, **SMALL, **more)
    torch.manual_seed(0)
    if not model_class:
        model = AutoModel.from_config(config, trust_remote_code=True)
    else:
        module, _, name = model_class.partition(":")
        sys.path.insert(0, ".")
        model = getattr(importlib.import_module(module), name)(config)
    return model.float().to(device)


def generate(model: Any, device: str, count: int = 8) -> None:
    config = model.config
    ids = torch.tensor([[*SENTENCE, config.gmask_token_id, config.bos_token_id]], device=device)
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids).logits
        out = model.generate(input_ids=ids, max_length=ids.shape[1] + count, do_sample=False, eos_token_id=-1)
    if not bool(torch.isfinite(logits).all()):
        sys.exit("the forward pass gave numbers that are not finite")
    made = out[0, ids.shape[1] :].tolist()
    print(f"forward pass: logits {list(logits.shape)}, mean {float(logits.mean()):.6f}")
    print(f"generated: {made}")
    if len(made) != count:
        sys.exit(f"{count} tokens were asked for, {len(made)} came")


def train(model: Any, device: str, steps: int = 10) -> None:
    """P-Tuning v2: only the prefix encoder learns, as in ptuning/main.py.

    Without the dropout of the prefix, the only one in the model: which numbers it drops is random and says nothing
    about the code; without it, a loss that rises is a fault of the gradients.
    """
    config = model.config
    trained = list(model.transformer.prefix_encoder.parameters())
    prompt = [*SENTENCE, config.gmask_token_id, config.bos_token_id]
    answer = [87052, 96914, 81471, 64562, config.eos_token_id]
    ids = torch.tensor([prompt + answer], device=device)
    labels = torch.tensor([[-100] * len(prompt) + answer], device=device)
    optimizer = torch.optim.AdamW(trained, lr=2e-2)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    losses = []
    for _ in range(steps):
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("loss:", " ".join(f"{loss:.4f}" for loss in losses))
    if any(losses[step] >= losses[step - 1] for step in range(1, steps)):
        sys.exit("the loss did not fall at every step")


if __name__ == "__main__":
    main()
