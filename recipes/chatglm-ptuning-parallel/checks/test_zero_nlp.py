"""The tutorial's listings 3.2.3, in the folder that training runs in."""

from typing import Any

import pytest

FOLDER = "ChatGLM-6B_mlu/Chatglm6b_ModelParallel_ptuning"
FILES = {"modeling_chatglm.py": 41, "thuglm/modeling_chatglm.py": 41, "modeling_chatglm_parallel.py": 44}
"""The line of the first of four jit calls, after skip_init was patched."""
JIT = ("set_profiling_mode(", "set_profiling_executor(", "override_can_fuse_on_cpu(", "override_can_fuse_on_gpu(")


@pytest.fixture(params=sorted(FILES))
def file(request: pytest.FixtureRequest, host: Any, expected: dict[str, Any]) -> tuple[str, list[str]]:
    content: str = host.file(f"{expected['workspace']}/{FOLDER}/{request.param}").content_string
    return request.param, content.split("\n")


def test_skip_init_is_defined_where_it_was_imported(file: tuple[str, list[str]]) -> None:
    _, lines = file
    assert lines[15:18] == [
        "#from torch.nn.utils import skip_init",
        "def skip_init(cls, *args, **kwargs):",
        "    return cls(*args, **kwargs)",
    ]


def test_jit_fusion_is_commented_out(file: tuple[str, list[str]]) -> None:
    name, lines = file
    first = FILES[name] - 1
    assert lines[first : first + 4] == [
        f"#    torch._C._jit_{call}{'True' if 'fuse' in call else 'False'})" for call in JIT
    ]


def test_concat_is_gone(file: tuple[str, list[str]]) -> None:
    _, lines = file
    assert not any("torch.concat(" in line for line in lines)


def test_the_model_class_computes_and_learns(host: Any, expected: dict[str, Any]) -> None:
    version = host.check_output("python3 -c 'import torch; print(torch.__version__)'")
    if not version.endswith("+standin"):  # of the project's own tests, which has nothing to compute with
        chosen = "--torch-1.9 --train --class thuglm.modeling_chatglm:ChatGLMForConditionalGeneration"
        folder = f"{expected['workspace']}/{FOLDER}"
        done = host.run(f"cd {folder} && python3 ../../port_check.py {chosen} ../../model")
        assert done.rc == 0, done.stdout + done.stderr
        assert done.stdout.startswith("thuglm.modeling_chatglm.ChatGLMForConditionalGeneration, ")
