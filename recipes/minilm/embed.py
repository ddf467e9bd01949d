#!/usr/bin/env python3
"""How alike sentences are, by all-MiniLM-L6-v2.

    python3 embed.py "A cat." "A kitten."     the cosine similarity of two sentences
    python3 embed.py A B C …                  the matrix of all similarities, one row per sentence

The tokenizer is transformers'; the model (a BERT encoder of six layers, the mean over its tokens, unit length) is
computed with numpy from model.safetensors. The folder with the model's files is $MINILM_WEIGHTS, or
weights/all-MiniLM-L6-v2 beside this file.
"""

import argparse
import json
import math
import os
from pathlib import Path

import numpy as np

FILES = ("config.json", "model.safetensors", "sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json")


class MiniLM:
    """Sentences as vectors of length 1, float32."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        from safetensors.numpy import load_file
        from transformers import AutoTokenizer

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        limits = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
        self.layers: int = config["num_hidden_layers"]
        self.heads: int = config["num_attention_heads"]
        self.epsilon: float = config["layer_norm_eps"]
        self.longest: int = limits["max_seq_length"]
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder))
        self.weights = load_file(folder / "model.safetensors")

    def embed(self, sentence: str) -> np.ndarray:
        """The vector of one sentence. One at a time, so there is no padding and no mask."""
        tokens = self.tokenizer(sentence, truncation=True, max_length=self.longest)["input_ids"]
        state = self.embeddings(np.array(tokens))
        for number in range(self.layers):
            state = self.encoder_layer(state, f"encoder.layer.{number}")
        mean = state.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def embeddings(self, tokens: np.ndarray) -> np.ndarray:
        words = self.weights["embeddings.word_embeddings.weight"][tokens]
        positions = self.weights["embeddings.position_embeddings.weight"][: len(tokens)]
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        return self.normalize(words + positions + kind, "embeddings.LayerNorm")

    def encoder_layer(self, state: np.ndarray, name: str) -> np.ndarray:
        mixed = self.linear(self.attention(state, f"{name}.attention.self"), f"{name}.attention.output.dense")
        state = self.normalize(state + mixed, f"{name}.attention.output.LayerNorm")
        wide = gelu(self.linear(state, f"{name}.intermediate.dense"))
        narrow = self.linear(wide, f"{name}.output.dense")
        return self.normalize(state + narrow, f"{name}.output.LayerNorm")

    def attention(self, state: np.ndarray, name: str) -> np.ndarray:
        """Scaled dot-product attention; each of the heads sees its own part of every vector."""
        length, width = state.shape

        def heads(part: str) -> np.ndarray:
            return self.linear(state, f"{name}.{part}").reshape(length, self.heads, -1).transpose(1, 0, 2)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(width // self.heads))
        return (softmax(scores) @ value).transpose(1, 0, 2).reshape(length, width)

    def linear(self, state: np.ndarray, name: str) -> np.ndarray:
        return state @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def normalize(self, state: np.ndarray, name: str) -> np.ndarray:
        centred = state - state.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        return centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def gelu(state: np.ndarray) -> np.ndarray:
    """The exact form, with the error function, as the model was trained."""
    erf = np.vectorize(math.erf, otypes=[np.float32])
    return state * (1 + erf(state / np.float32(math.sqrt(2)))) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description="How alike sentences are, by all-MiniLM-L6-v2.")
    parser.add_argument("sentences", nargs="+", metavar="SENTENCE", help="two sentences, or more for a matrix")
    sentences = parser.parse_args().sentences
    if len(sentences) < 2:
        parser.error("expected at least two sentences")
    folder = Path(os.environ.get("MINILM_WEIGHTS") or Path(__file__).parent / "weights" / "all-MiniLM-L6-v2")
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        parser.error(f"{folder} has no {', '.join(missing)}; MINILM_WEIGHTS names the folder of the model's files")
    model = MiniLM(folder)
    vectors = np.stack([model.embed(sentence) for sentence in sentences])
    # Adding 0 makes -0.0000 a plain zero.
    similarities = np.round((vectors @ vectors.T).astype(np.float64), 4) + 0.0
    if len(sentences) == 2:
        print(f"{similarities[0, 1]:.4f}")
        return
    for row in similarities:
        print(" ".join(f"{value:.4f}" for value in row))


if __name__ == "__main__":
    main()
