"""The shape of `patches:` in a recipe: what is accepted, and what a person reads when it is not."""

import re
from pathlib import Path

import pytest
from patching import STEPS, steps
from pydantic import ValidationError

from portside.patches.apply import used_files
from portside.patches.steps import KINDS, CommentOut, Copy, Define, Delete, Diff, Replace, SetLine

EVERY_KIND = """
- name: torch.concat does not exist in torch 1.9
  replace: "torch.concat("
  with: "torch.cat("
  files: "ChatGLM-6B_mlu/**/*.py"
  count: 2
- comment-out: {first: "if sys.platform != 'darwin':", last: torch._C._jit_override_can_fuse_on_gpu(True)}
  files: [a.py, b.py]
  count: 1
- define: from torch.nn.utils import skip_init
  as: |
    def skip_init(cls, *args, **kwargs):
        return cls(*args, **kwargs)
  files: "*.py"
  count: 3
- set-line: torch>=1.10
  to: "# torch>=1.10"
  at: 3
  files: requirements.txt
  count: 1
- diff: patches/loader.patch
  folder: ChatGLM-6B_mlu
  count: 2
- copy: train.sh
  to: ChatGLM-6B_mlu/train.sh
  mode: "0755"
- delete: docs/**
  count: 4
"""


def test_each_kind_is_known_by_its_key() -> None:
    found = steps(EVERY_KIND)
    assert [type(step) for step in found] == [Replace, CommentOut, Define, SetLine, Diff, Copy, Delete]
    assert found[1].files == ("a.py", "b.py")  # type: ignore[union-attr]
    assert used_files(found) == ("patches/loader.patch", "train.sh")


def test_the_examples_in_the_docs_are_valid_and_show_every_kind() -> None:
    text = (Path(__file__).parents[3] / "docs" / "patches.md").read_text("utf-8")
    blocks = [block.removeprefix("patches:\n") for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert {type(step) for block in blocks for step in steps(block)} == {*KINDS}


def test_titles_are_the_name_or_say_what_is_looked_for() -> None:
    assert [step.title for step in steps(EVERY_KIND)] == [
        "torch.concat does not exist in torch 1.9",
        "comment-out if sys.platform != 'darwin':",
        "define from torch.nn.utils import skip_init",
        "set-line torch>=1.10",
        "diff patches/loader.patch",
        "copy train.sh to ChatGLM-6B_mlu/train.sh",
        "delete docs/**",
    ]


def test_a_long_title_is_cut() -> None:
    (step,) = steps(f"[{{replace: {'x' * 90}, with: y, files: a, count: 1}}]")
    assert step.title == f"replace {'x' * 59}…"


def test_what_is_dumped_is_read_again_as_the_same_steps() -> None:
    found = steps(EVERY_KIND)
    assert STEPS.validate_python(STEPS.dump_python(found, mode="json", by_alias=True)) == found


def test_the_json_schema_has_the_keys_of_the_yaml() -> None:
    schema = STEPS.json_schema()
    assert set(schema["$defs"]) == {"Block", "CommentOut", "Copy", "Define", "Delete", "Diff", "Replace", "SetLine"}
    replace = schema["$defs"]["Replace"]
    assert {"replace", "with", "files", "count"} == set(replace["required"])
    assert {"string", "array"} == {form["type"] for form in replace["properties"]["files"]["anyOf"]}


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{with: b, files: a, count: 1}", "expected a mapping with exactly one of: replace, comment-out, define"),
        ("{replace: a, delete: b, count: 1}", "expected a mapping with exactly one of"),
        ("replace", "expected a mapping with exactly one of"),
        ("{replace: a, with: b, files: c}", "Field required"),
        ("{replace: a, with: b, files: c, count: 0}", "greater than or equal to 1"),
        ("{replace: a, with: b, files: c, count: true}", "valid integer"),
        ("{replace: a, with: b, files: c, count: '2'}", "valid integer"),
        ("{replace: a, with: b, files: c, count: 1, fiels: d}", "Extra inputs are not permitted"),
        ("{replace: '', with: b, files: c, count: 1}", "at least 1 character"),
        ("{replace: a, with: a, files: c, count: 1}", "the step would change nothing"),
        ("{replace: a, with: 3, files: c, count: 1}", "valid string"),
        ('{replace: a, with: "\\uD800", files: c, count: 1}', "lone surrogates"),
        ("{replace: a, with: b, files: [], count: 1}", "at least 1 item"),
        ("{replace: a, with: b, files: /etc/passwd, count: 1}", "not a clean relative path"),
        ("{replace: a, with: b, files: ../x, count: 1}", "not a clean relative path"),
        ("{replace: a, with: b, files: a//b, count: 1}", "not a clean relative path"),
        ("{replace: a, with: b, files: 'a\\b', count: 1}", "backslash"),
        ("{replace: a, with: b, files: 'a**/b', count: 1}", "must be a whole part"),
        ("{replace: 'a(', with: b, regex: true, files: c, count: 1}", "not a valid regular expression"),
        ("{replace: 'a', with: '\\1', regex: true, files: c, count: 1}", "invalid group reference"),
        ("{replace: 'a', with: '\\g<n>', regex: true, files: c, count: 1}", "not a valid regular expression"),
        ("{replace: a, with: b, options: [dotall], files: c, count: 1}", "`options` need `regex: true`"),
        ("{replace: a, with: b, regex: true, options: [global], files: c, count: 1}", "'dotall', 'ignorecase'"),
        ("{comment-out: {first: ' '}, files: c, count: 1}", "not blank"),
        ('{comment-out: {first: "a\\nb"}, files: c, count: 1}', "expected one line"),
        ("{comment-out: {begin: a}, files: c, count: 1}", "Field required"),
        ("{define: skip_init, as: 'skip_init = 1', files: c, count: 1}", "expected the import of one name"),
        ("{define: 'import a, b', as: 'a = 1', files: c, count: 1}", "expected the import of one name"),
        ("{define: 'from a import *', as: 'a = 1', files: c, count: 1}", "expected the import of one name"),
        ("{define: from a import b, as: 'c = 1', files: c, count: 1}", "`as` does not define b"),
        ("{define: from a import b as c, as: 'b = 1', files: c, count: 1}", "`as` does not define c"),
        ("{define: from a import b, as: 'def b(', files: c, count: 1}", "`as` is not Python: line 1"),
        ('{define: from a import b, as: "def f():\\n  b = 1", files: c, count: 1}', "`as` does not define b"),
        ("{define: from a import b, as: 'print(b)', files: c, count: 1}", "`as` does not define b"),
        ('{define: from a import b, as: "b = 1\\0", files: c, count: 1}', "`as` is not Python"),
        ("{set-line: a, to: a, files: c, count: 1}", "the step would change nothing"),
        ('{set-line: a, to: "b\\nc", files: c, count: 1}', "expected one line"),
        ("{set-line: a, to: b, at: 0, files: c, count: 1}", "greater than or equal to 1"),
        ("{set-line: '[', to: b, regex: true, files: c, count: 1}", "not a valid regular expression"),
        ("{diff: ../x.patch, count: 1}", "expected a relative path"),
        ("{diff: /x.patch, count: 1}", "expected a relative path"),
        ("{diff: x.patch}", "Field required"),
        ("{copy: a, to: ../b}", "expected a relative path"),
        ("{copy: a, to: b, mode: 0755}", "valid string"),
        ("{copy: a, to: b, mode: '4755'}", "should match pattern"),
        ("{copy: a, to: b, count: 1}", "Extra inputs are not permitted"),
        ("{delete: '', count: 1}", "not a clean relative path"),
        ('{name: "a\\nb", delete: x, count: 1}', "expected one line"),
    ],
)
def test_bad_steps_say_what_was_expected(step: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        steps(f"[{step}]")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "code",
    [
        "def b(): pass",
        "class b: pass",
        "b = 1",
        "from other import b",
        "import other as b",
        "try:\n    from a import b\nexcept ImportError:\n    b = None",
        "    def b():\n        pass",
    ],
)
def test_definitions_of_every_form(code: str) -> None:
    value = [{"define": "from a import b", "as": code, "files": "x.py", "count": 1}]
    assert len(STEPS.validate_python(value)) == 1
