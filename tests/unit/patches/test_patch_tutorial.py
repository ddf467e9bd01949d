"""The patches of the ChatGLM-6B tutorial on files that have the places it names, as they stand after migration."""

import pytest
from patching import contents, patch

from portside.errors import MigrationError

HEAD = """\
import torch_mlu
\"\"\" A model. \"\"\"

import math
import copy
import os
import warnings
import re
import sys

import torch
import torch.utils.checkpoint
import torch.nn.functional as F
from torch import nn
from torch.nn import CrossEntropyLoss, LayerNorm
from torch.nn.utils import skip_init
from typing import Optional, Tuple

"""
FUSION = """
if sys.platform != 'darwin':
    torch._C._jit_set_profiling_mode(False)
    torch._C._jit_set_profiling_executor(False)
    torch._C._jit_override_can_fuse_on_cpu(True)
    torch._C._jit_override_can_fuse_on_gpu(True)
"""
INIT = """
class {name}(nn.Module):
    def __init__(self, empty_init=True):
        if empty_init:
            init_method = skip_init
        else:
            init_method = default_init
        self.dense = init_method(nn.Linear, 4, 4)
"""
ROTARY = """
def rotate(q1, q2, k1, k2):
    query_layer = torch.concat([q1, q2], dim=(q1.ndim - 1))
    key_layer = torch.concat([k1, k2], dim=(k1.ndim - 1))
    return query_layer, key_layer
"""
NAMES = ("SelfAttention", "GLU", "ChatGLMModel", "ChatGLMForConditionalGeneration")


def model(imports: int) -> str:
    """A modeling file whose fusion block begins in line 18 + imports of the file that upstream has."""
    more = "".join(f"from transformers.x{number} import y{number}\n" for number in range(imports))
    return HEAD + more + FUSION + "".join(INIT.format(name=name) for name in NAMES) + ROTARY


TUTORIAL = """
- name: torch 1.9 has no skip_init (the import)
  comment-out: {first: from torch.nn.utils import skip_init}
  files: chatglm-6b/modeling_chatglm.py
  count: 1
- name: torch 1.9 has no skip_init (its four uses)
  comment-out:
    first: "if empty_init:"
    last: init_method = default_init
    then: init_method = default_init
  files: chatglm-6b/modeling_chatglm.py
  count: 4
- name: torch 1.9 has torch.cat, not torch.concat
  replace: torch.concat(
  with: torch.cat(
  files: chatglm-6b/modeling_chatglm.py
  count: 2
- name: the MLU has no jit fusion
  comment-out:
    first: "if sys.platform != 'darwin':"
    last: torch._C._jit_override_can_fuse_on_gpu(True)
  files: chatglm-6b/modeling_chatglm.py
  count: 1
"""


def test_section_2_3_2() -> None:
    before = model(12)
    done = patch({"chatglm-6b/modeling_chatglm.py": before}, TUTORIAL)
    after = contents(done.tree)["chatglm-6b/modeling_chatglm.py"].decode()
    assert "#from torch.nn.utils import skip_init\n" in after
    assert after.count(
        "        #if empty_init:\n        #    init_method = skip_init\n        #else:\n"
        "        #    init_method = default_init\n        init_method = default_init\n        self.dense"
    ) == len(NAMES)
    assert "\n#if sys.platform != 'darwin':\n#    torch._C._jit_set_profiling_mode(False)\n" in after
    assert after.count("torch.cat([") == 2 and "torch.concat" not in after
    assert [sum(change.step == step for change in done.changes) for step in (1, 2, 3, 4)] == [1, 4, 2, 1]
    code = [line for line in after.split("\n") if "skip_init" in line and not line.strip().startswith("#")]
    assert not code


def test_another_version_of_upstream_stops_with_every_candidate() -> None:
    moved = model(12).replace(
        "class GLU(nn.Module):\n    def __init__(self, empty_init=True):\n        if empty_init:",
        "class GLU(nn.Module):\n    def __init__(self, empty_init=True):\n        if empty_init is True:",
    )
    with pytest.raises(MigrationError) as caught:
        patch({"chatglm-6b/modeling_chatglm.py": moved}, TUTORIAL)
    message = str(caught.value)
    assert "patch step 2 (torch 1.9 has no skip_init (its four uses)): must change 4 places, but 3 are there" in message
    found, near = message.split("close to it:")
    assert found.count("modeling_chatglm.py:") == 3
    line = moved.split("\n").index("        if empty_init is True:") + 1
    assert f"chatglm-6b/modeling_chatglm.py:{line}: if empty_init is True:" in near
    assert ": if empty_init:" in found and ": if empty_init:" not in near


def test_section_3_2_3_has_its_line_numbers() -> None:
    prefix = "zero_nlp_mlu/Chatglm6b_ModelParallel_ptuning"
    done = patch(
        {
            f"{prefix}/modeling_chatglm.py": model(18),
            f"{prefix}/thuglm/modeling_chatglm.py": model(18),
            f"{prefix}/modeling_chatglm_parallel.py": model(21),
        },
        f"""
        - name: torch 1.9 has no skip_init
          define: from torch.nn.utils import skip_init
          as: |
            def skip_init(cls, *args, **kwargs):
                return cls(*args, **kwargs)
          files: {prefix}/**/modeling_chatglm*.py
          count: 3
        """,
    )
    lines = {path: data.decode().split("\n") for path, data in contents(done.tree).items()}
    assert [(change.path.removeprefix(prefix), change.line) for change in done.changes] == [
        ("/modeling_chatglm.py", 16),
        ("/modeling_chatglm_parallel.py", 16),
        ("/thuglm/modeling_chatglm.py", 16),
    ]
    jit = {
        path.removeprefix(prefix): [n for n, line in enumerate(text, 1) if "torch._C._jit_" in line]
        for path, text in lines.items()
    }
    assert jit == {
        "/modeling_chatglm.py": [41, 42, 43, 44],
        "/thuglm/modeling_chatglm.py": [41, 42, 43, 44],
        "/modeling_chatglm_parallel.py": [44, 45, 46, 47],
    }
    assert lines[f"{prefix}/modeling_chatglm.py"][15:18] == [
        "#from torch.nn.utils import skip_init",
        "def skip_init(cls, *args, **kwargs):",
        "    return cls(*args, **kwargs)",
    ]


def test_section_3_1_3() -> None:
    body = ["pass\n"] * 2400
    for number, call in (
        (2275, "set_rng_state(s)"),
        (2278, "set_rng_state_all(s)"),
        (2370, "get_rng_state_all()"),
        (2372, "get_rng_state()"),
    ):
        body[number - 1] = f"torch.mlu.random.{call}\n"
    done = patch(
        {"ChatGLM-6B_mlu/ptuning/trainer.py": "".join(body), "ChatGLM-6B_mlu/ptuning/README.md": "torch.mlu.random\n"},
        "[{replace: torch.mlu.random, with: torch_mlu.core.random, files: ChatGLM-6B_mlu/**/*.py, count: 4}]",
    )
    assert [change.line for change in done.changes] == [2275, 2278, 2370, 2372]
    assert done.changes[0].after == "torch_mlu.core.random.set_rng_state(s)"


def test_section_2_3_3() -> None:
    done = patch(
        {"ChatGLM-6B_mlu/requirements.txt": "protobuf\ntransformers==4.27.1\ncpm_kernels\ntorch>=1.10\ngradio\n"},
        "[{set-line: torch>=1.10, to: '# torch>=1.10', at: 4, files: ChatGLM-6B_mlu/requirements.txt, count: 1}]",
    )
    assert b"cpm_kernels\n# torch>=1.10\ngradio\n" in contents(done.tree)["ChatGLM-6B_mlu/requirements.txt"]
