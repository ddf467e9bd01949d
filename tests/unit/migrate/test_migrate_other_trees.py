"""Code as it stands in other projects than those that the rules were first tried on: one small case for each habit."""

import ast
from collections.abc import Callable

import pytest

from portside.common.tree import Tree, file_entry
from portside.migrate.migration import Migrated, migrate
from portside.migrate.precise import contexts
from portside.migrate.rulesets import load


def migrated(text: str, ruleset: str = "mlu", name: str = "m.py") -> Migrated:
    return migrate(Tree([file_entry(name, text.encode())]), load(ruleset), "precise")


def text_of(migration: Migrated, name: str = "m.py") -> str:
    return migration.tree[name].read().decode()


def classes(migration: Migrated, name: str) -> list[str]:
    return [f"{hit.cls} {hit.rule}" for _, hit in migration.report.hits() if hit.name == name]


@pytest.mark.parametrize(
    "table",
    ['{"cuda": "nccl", "hpu": "hccl"}', '{"cpu": 0, "cuda": 1}', '{"mps": a, "cuda:0": b}', '{"cuda": a, "cpu": b}'],
)
def test_a_table_of_devices_is_looked_up_with_the_new_name_so_its_keys_need_a_person(table: str) -> None:
    migration = migrated(f"sizes = {table}\n")
    assert [hit.cls for _, hit in migration.report.hits() if hit.name.startswith("cuda")] == ["needs-person"]
    assert '"cuda' in text_of(migration)


@pytest.mark.parametrize("table", ['{"nccl": 1, "gloo": 2}', '{"mpi": 1, "nccl": 2}'])
def test_so_do_the_keys_of_a_table_of_backends(table: str) -> None:
    migration = migrated(f"sizes = {table}\n")
    assert classes(migration, "nccl") == ["needs-person backend-literal"]
    assert text_of(migration) == f"sizes = {table}\n"


@pytest.mark.parametrize("place", ['state = {"python": a, "cuda": b}', 'state = {"cuda": b}', 'x = state["cuda"]'])
def test_the_key_of_a_checkpoint_is_kept(place: str) -> None:
    assert classes(migrated(place + "\n"), "cuda") == ["kept key"]


def test_torch_may_come_from_a_star_import() -> None:
    migration = migrated('"""Doc."""\nfrom .imports import *\n\ntorch.cuda.empty_cache()\n')
    assert text_of(migration) == '"""Doc."""\nimport torch_mlu\nfrom .imports import *\n\ntorch.mlu.empty_cache()\n'


def test_a_star_import_does_not_make_a_parameter_the_module() -> None:
    migration = migrated("from .imports import *\n\ndef f(torch):\n    return torch.cuda.empty_cache\n")
    assert "torch.cuda.empty_cache" in text_of(migration)


@pytest.mark.parametrize(
    "text",
    ["f\"{'cuda' if card else 'cpu'}_time\"", "f\"self_{'cuda' if card else 'cpu'}\"", "f\"{'cuda' or 'cpu'}.log\""],
)
def test_a_device_that_is_a_part_of_a_longer_name_needs_a_person(text: str) -> None:
    migration = migrated(f"key = {text}\n")
    assert text_of(migration) == f"key = {text}\n"
    assert classes(migration, "cuda") == ["needs-person device-literal"]


@pytest.mark.parametrize(
    "text", ["f\"{'cuda' if card else 'cpu'}:{i}\"", "f\"{'cuda' if card else 'cpu'}\"", "f\"a_{to(device='cuda')}_b\""]
)
def test_a_device_in_a_field_of_its_own_is_one(text: str) -> None:
    assert text_of(migrated(f"x = {text}\n")).splitlines()[-1] == f"x = {text.replace('cuda', 'mlu')}"


def test_a_backend_may_be_written_in_capitals() -> None:
    migration = migrated('dist.init_process_group(backend="NCCL")\nlog("NCCL")\n')
    assert text_of(migration).splitlines()[-2:] == ['dist.init_process_group(backend="CNCL")', 'log("NCCL")']


@pytest.mark.parametrize("call", ['getattr(x, "is_cuda", False)', 'hasattr(x, "is_cuda")'])
def test_an_attribute_that_is_asked_for_by_its_name_needs_a_person(call: str) -> None:
    migration = migrated(f"y = {call}\n")
    assert classes(migration, "is_cuda") == ["needs-person is-cuda"]
    assert text_of(migration) == f"y = {call}\n"


@pytest.mark.parametrize(
    "call",
    [
        'GradScaler("cuda")',
        'DeviceMesh("cuda", ranks)',
        'torch.is_autocast_enabled("cuda")',
        'torch.get_autocast_dtype("cuda")',
        'self.assertEqual(x.device.type, "cuda")',
        'self.assertIn("cuda", devices)',
    ],
)
def test_calls_that_take_a_device(call: str) -> None:
    assert call.replace("cuda", "mlu") in text_of(migrated(f"import torch\n{call}\n"))


def test_an_assertion_about_something_else_is_left_for_a_person() -> None:
    migration = migrated('self.assertEqual(options.flavour, "cuda")\n')
    assert classes(migration, "cuda") == ["needs-person device-literal"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('torch.device("cuda", rank)', 'torch.device("cpu")'),
        ('torch.device("cuda", index=1)', 'torch.device("cpu")'),
        ('torch.device("cuda", torch.cuda.current_device())', 'torch.device("cpu")'),
        ('torch.device(type="cuda", index=1)', 'torch.device(type="cpu")'),
        ('torch.device("cuda:1")', 'torch.device("cpu")'),
    ],
)
def test_there_is_one_processor_so_the_index_beside_it_goes_too(old: str, new: str) -> None:
    migration = migrated(f"import torch\nd = {old}\n", "cpu")
    assert text_of(migration) == f"import torch\nd = {new}\n"
    assert not migration.report.counts()["unsupported"]


@pytest.mark.parametrize(
    ("ruleset", "old", "new"),
    [
        ("npu", "torch.cuda.current_stream().cuda_stream", "torch.npu.current_stream().npu_stream"),
        ("mlu", "torch.cuda.current_stream().cuda_stream", "torch.mlu.current_stream().mlu_stream"),
        ("npu", "torch.distributed.Backend.NCCL", "torch.distributed.Backend.HCCL"),
        ("npu", "torch.cuda.host_memory_stats_as_nested_dict()", "torch.npu.host_memory_stats_as_nested_dict()"),
        ("cpu", "torch.distributed.Backend.NCCL", "torch.distributed.Backend.GLOO"),
        ("cpu", "torch.cuda.BFloat16Tensor(2)", "torch.BFloat16Tensor(2)"),
    ],
)
def test_names_that_the_other_rulesets_know(ruleset: str, old: str, new: str) -> None:
    assert text_of(migrated(f"import torch\nx = {old}\n", ruleset)).endswith(f"x = {new}\n")


@pytest.mark.parametrize("name", ["torch._C._cuda_getCurrentRawStream", "torch._C._cuda_isInBadFork"])
@pytest.mark.parametrize("ruleset", ["mlu", "npu"])
def test_private_functions_need_a_person(name: str, ruleset: str) -> None:
    assert classes(migrated(f"import torch\nx = {name}(0)\n", ruleset), name) == ["needs-person private-functions"]


def test_the_old_framework_leaves_the_name_of_the_backend_to_a_person() -> None:
    name = "torch.distributed.Backend.NCCL"
    assert classes(migrated(f"import torch\nx = {name}\n"), name) == ["needs-person nccl-names-old"]


@pytest.mark.parametrize("name", ["init", "ipc_collect", "reset_max_memory_allocated"])
def test_what_raises_without_a_card_is_unsupported_on_the_processor(name: str) -> None:
    migration = migrated(f"import torch\ntorch.cuda.{name}()\n", "cpu")
    assert classes(migration, f"torch.cuda.{name}") == ["unsupported torch-cuda-unsupported"]


@pytest.mark.parametrize("name", ["get_rng_state_all", "OutOfMemoryError", "amp.custom_fwd"])
def test_what_torch_answers_without_a_card_is_kept_on_the_processor(name: str) -> None:
    assert [hit.cls for _, hit in migrated(f"import torch\nx = torch.cuda.{name}\n", "cpu").report.hits()] == ["kept"]


@pytest.mark.parametrize(
    "question",
    [
        'if device.type == "cuda": torch.cuda.set_device(device)',
        'if device.type in ("cuda", "xpu"): torch.cuda.synchronize()',
        'if str(device).startswith("cuda"): torch.cuda.synchronize()',
        'if "cuda" in str(device): torch.cuda.synchronize()',
        'fast = device != "cuda:0"',
    ],
)
def test_whether_a_device_is_a_card_stays_a_question_where_there_is_none(question: str) -> None:
    """The code behind it is for a card, and would run on the processor."""
    migration = migrated(f"import torch\n{question}\n", "cpu")
    assert text_of(migration) == f"import torch\n{question}\n".replace("torch.cuda", "torch.cpu")
    assert "kept question" in [f"{hit.cls} {hit.rule}" for _, hit in migration.report.hits()]
    assert '"mlu' in text_of(migrated(f"import torch\n{question}\n"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('assert device.type == "cuda"', 'assert device.type == "cpu"'),
        ('device = "cuda" if card else "cpu"', 'device = "cpu" if card else "cpu"'),
        ('if "cuda:" + str(i) != last_device: pass', 'if "cpu" != last_device: pass'),
        ('if "cuda:{}".format(i) != last_device: pass', 'if "cpu" != last_device: pass'),
    ],
)
def test_what_says_where_something_is_becomes_the_processor(old: str, new: str) -> None:
    assert text_of(migrated(old + "\n", "cpu")) == new + "\n"


def test_a_long_list_is_read_once_and_not_once_for_each_element(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def counting(node: ast.AST) -> contexts.Use | None:
        nonlocal asked
        asked += 1
        return expression_use(node)

    expression_use = contexts.expression_use
    monkeypatch.setattr(contexts, "expression_use", counting)
    names = ", ".join(f'"test_{number}_cuda"' for number in range(300))
    migrated(f"skipped = [{names}]\n")
    assert asked < 700


@pytest.mark.parametrize("tail", ['"CUDA_VISIBLE_DEVICES', '"CUDA_VISIBLE_DEVICES\\"' * 3, '"'])
def test_a_notebook_that_breaks_off_in_a_string_keeps_what_is_open(tail: str) -> None:
    text = '{"cells": [{"cell_type": "code", "source": ["CUDA_VISIBLE_DEVICES=1", ' + tail
    migration = migrated(text, name="n.ipynb")
    assert text_of(migration, "n.ipynb") == text
    assert {hit.rule for _, hit in migration.report.hits()} == {"notebook-text"}


def test_comments_and_code_of_a_script_alternate() -> None:
    text = "# CUDA_VISIBLE_DEVICES=1\nCUDA_VISIBLE_DEVICES=0 run # CUDA_VISIBLE_DEVICES\n"
    new = text_of(migrated(text * 3, name="run.sh"), "run.sh")
    assert new == text.replace("\nCUDA", "\nMLU") * 3


def test_functions_inside_f_strings_are_told_apart() -> None:
    line = 'f"{(lambda torch: torch.cuda.current_device())(1)} {(lambda y: torch.cuda.current_device())(2)}"\n'
    found = text_of(migrated("import torch\n" + line * 40))
    assert found.count("torch.mlu.current_device()") == found.count("torch.cuda.current_device()") == 40


def deeper(calls: int, function: Callable[[], Migrated]) -> Migrated:
    return deeper(calls - 1, function) if calls else function()


@pytest.mark.parametrize(
    "code",
    [
        "x = {} + torch.cuda.device_count()\n".format(" + ".join(["1"] * 350)),
        "x = {} + torch.cuda.device_count()\n".format(" + ".join(["1"] * 280)),
        "if a:\n    torch.cuda.init()\n" + "elif b:\n    torch.cuda.init()\n" * 280,
        "x = lambda: " * 90 + "torch.cuda.device_count()\n",
        "x = {}\ny = torch.cuda.device_count()\n".format(" + ".join(["1"] * 900)),
    ],
)
def test_the_result_does_not_depend_on_who_calls(code: str) -> None:
    text = f"import torch\n{code}"
    results = {text_of(deeper(calls, lambda: migrated(text))) for calls in (0, 150, 300, 450)}
    assert len(results) == 1


def test_what_is_nested_too_deeply_is_left_and_what_is_not_is_migrated() -> None:
    def text(terms: int) -> str:
        return "import torch\nx = {} + torch.cuda.device_count()\n".format(" + ".join(["1"] * terms))

    assert "torch.mlu.device_count()" in text_of(migrated(text(290)))
    assert text_of(migrated(text(310))) == text(310)
    assert [hit.rule for _, hit in migrated(text(310)).report.hits()] == ["does-not-compile"]
