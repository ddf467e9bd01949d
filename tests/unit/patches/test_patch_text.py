"""The kinds that change text: each with what it does, and with what it says when it cannot."""

import pytest
from patching import contents, patch

from portside.errors import MigrationError
from portside.patches.changes import Change


def one(data: bytes | str, step: str, path: str = "m/a.py") -> bytes:
    """The file after one step, given without its `files` and `count: 1`."""
    return contents(patch({path: data}, f"[{{{step}, files: '{path}', count: 1}}]").tree)[path]


def refused(files: dict[str, bytes | str], text: str, recipe: dict[str, bytes | str] | None = None) -> str:
    with pytest.raises(MigrationError) as caught:
        patch(files, text, recipe)
    assert caught.value.solution
    return str(caught.value)


# --- replace


def test_replace_changes_every_match_in_every_file_and_reports_it() -> None:
    done = patch(
        {"m/a.py": "x = f(1) + f(2)\n", "m/b/c.py": "\nf(3)\n", "other.py": "f(4)\n", "m/t.txt": "f(5)\n"},
        "[{name: g, replace: f(, with: g(, files: m/**/*.py, count: 3}]",
    )
    assert contents(done.tree) == {
        "m/a.py": b"x = g(1) + g(2)\n",
        "m/b/c.py": b"\ng(3)\n",
        "m/t.txt": b"f(5)\n",
        "other.py": b"f(4)\n",
    }
    assert done.changes == (
        Change(1, "g", "m/a.py", 1, "x = f(1) + f(2)", "x = g(1) + f(2)", new_line=1),
        Change(1, "g", "m/a.py", 1, "x = f(1) + f(2)", "x = f(1) + g(2)", new_line=1),
        Change(1, "g", "m/b/c.py", 2, "f(3)", "g(3)", new_line=2),
    )


def test_replace_is_literal_unless_told() -> None:
    assert one("a.b(c) = axb(c)\n", "replace: a.b(c), with: '\\1'", "m/t.txt") == b"\\1 = axb(c)\n"


def test_replace_of_several_lines_matches_crlf_and_keeps_it() -> None:
    new = one(b"a\r\nb\r\nc\n", 'replace: "a\\nb\\n", with: "1\\n2\\n3\\n"', "t.txt")
    assert new == b"1\r\n2\r\n3\r\nc\n"


def test_replace_in_bytes_that_are_no_text() -> None:
    assert one(b"\xff\xfeold\xe9\r\n", "replace: old, with: 'né'", "t.bin") == b"\xff\xfen\xc3\xa9\xe9\r\n"


def test_replace_in_the_declared_encoding() -> None:
    data = "# coding: gbk\ns = '损失'\n"
    assert one(data.encode("gbk"), "replace: 损失, with: 精度") == data.replace("损失", "精度").encode("gbk")


def test_text_that_the_encoding_lacks_is_refused() -> None:
    message = refused(
        {"a.py": "# coding: gbk\ns = '损失'\n".encode("gbk")}, "[{replace: 损失, with: 😀, files: a.py, count: 1}]"
    )
    assert "a.py is written in gbk, which cannot say '😀'" in message


def test_regex_with_groups_lines_and_options() -> None:
    data = "device = 'cuda:0'\nDevice = 'cuda:1'\n"
    step = r"""replace: '^(d\w+) = .cuda:(?P<n>\d).$', with: '\1 = "mlu:\g<n>"', regex: true"""
    assert one(data, step) == b"device = \"mlu:0\"\nDevice = 'cuda:1'\n"
    twice = "[{" + step + ", options: [ignorecase], files: a.py, count: 2}]"
    assert contents(patch({"a.py": data}, twice).tree)["a.py"] == b'device = "mlu:0"\nDevice = "mlu:1"\n'


def test_regex_sees_crlf_as_one_line_end() -> None:
    assert one(b"a = 1\r\nb = 2\r\n", "replace: '1$', with: '3', regex: true") == b"a = 3\r\nb = 2\r\n"
    assert one(b"a(\r\n1)\r\n", r"replace: '\((.*)\)', with: '[\1]', regex: true, options: [dotall]") == b"a[\r\n1]\r\n"


def test_a_regex_match_that_already_is_as_wanted_is_no_place() -> None:
    assert one("f(1)\nf(2)\n", "replace: 'f\\(\\d\\)', with: 'f(1)', regex: true") == b"f(1)\nf(1)\n"


def test_too_many_places_are_all_listed() -> None:
    message = refused(
        {"a.py": "f()\n", "b.py": "\n  f()\n"}, "[{name: calls of f, replace: f(, with: g(, files: '*.py', count: 1}]"
    )
    assert message.startswith(
        "patch step 1 (calls of f): must change 1 place, but 2 are there, in 2 files that match *.py"
    )
    assert "    a.py:1: f()\n    b.py:2: f()\n" in message
    assert "say `count: 2`; otherwise correct `replace` or `files`" in message


def test_no_place_lists_the_closest_lines() -> None:
    message = refused(
        {"a.py": "import os\nq = torch.cat([a, b])\nk = torch.Cat ([a, b])\nprint(q)\n"},
        "[{replace: 'torch.concat(', with: x, files: a.py, count: 2}]",
    )
    assert "must change 2 places, but none are there, in the one file that matches a.py" in message
    assert "a.py:2: q = torch.cat([a, b])" in message and "a.py:3" in message
    assert "print" not in message and "import os" not in message


def test_closest_lines_of_a_pattern_leave_out_the_places() -> None:
    message = refused(
        {"a.py": "model.half().cuda()\nmodel.cuda()\n"},
        "[{replace: 'model\\.half\\(\\)\\.cuda\\(\\)', with: x, regex: true, files: a.py, count: 2}]",
    )
    places, near = message.split("close to it:")
    assert "a.py:1: model.half().cuda()" in places
    assert "a.py:2: model.cuda()" in near and "a.py:1" not in near


def test_long_lists_are_cut() -> None:
    message = refused({"a.txt": "x\n" * 250}, "[{replace: x, with: y, files: a.txt, count: 1}]")
    assert "a.txt:200: x" in message and "a.txt:201" not in message and "… and 50 more" in message


# --- files


def test_every_glob_must_match_a_file() -> None:
    message = refused(
        {"ChatGLM-6B_mlu/ptuning/trainer.py": "f()\n"},
        "[{replace: f, with: g, files: [ChatGLM-6B_mlu/**/*.py, ChatGLM_mlu/ptuning/main.py], count: 1}]",
    )
    assert "no file matches 'ChatGLM_mlu/ptuning/main.py'\n  close to it:\n    ChatGLM-6B_mlu\n" in message


# --- comment-out

JIT = """\
import sys

if sys.platform != 'darwin':
    a(False)

    b(True)
c()
"""


def test_comment_out_keeps_the_indentation_behind_the_marker() -> None:
    new = one(JIT, "comment-out: {first: \"if sys.platform != 'darwin':\", last: b(True)}")
    assert new.decode() == JIT.replace("if sys", "#if sys").replace("    a(", "#    a(").replace("    b(", "#    b(")


def test_comment_out_puts_the_marker_at_the_blocks_indentation() -> None:
    data = "def f(x):\n    if x:\n        g = a\n    else:\n        g = b\n    return g\n"
    new = one(data, "comment-out: {first: 'if x:', last: g = b, then: g = b}")
    assert new == b"def f(x):\n    #if x:\n    #    g = a\n    #else:\n    #    g = b\n    g = b\n    return g\n"


def test_comment_out_of_one_line_and_of_equal_first_and_last_lines() -> None:
    data = "# ---\na\n# ---\nb\n"
    assert one("x\n  --share\ny\n", "comment-out: {first: --share}", "run.sh") == b"x\n  #--share\ny\n"
    assert one(data, "comment-out: {first: '# ---', last: '# ---'}", "t.yaml") == b"## ---\n#a\n## ---\nb\n"


def test_a_block_begins_at_the_last_first_line_before_its_last_line() -> None:
    data = "if x:\n    other()\nif x:\n    wanted()\n"
    new = one(data, "comment-out: {first: 'if x:', last: wanted()}")
    assert new == b"if x:\n    other()\n#if x:\n#    wanted()\n"


def test_comment_out_with_tabs_and_crlf() -> None:
    new = one(b"a:\r\n\tx\r\n\t\ty\r\n", "comment-out: {first: x, last: y}", "t.yml")
    assert new == b"a:\r\n\t#x\r\n\t#\ty\r\n"


def test_the_marker_stands_where_the_indentations_of_a_block_part() -> None:
    new = one("s = {\n    'a': 1,\n  'b': 2,\n\t'c': 3}\n", "comment-out: {first: \"'a': 1,\", last: \"'b': 2,\"}")
    assert new == b"s = {\n  #  'a': 1,\n  #'b': 2,\n\t'c': 3}\n"
    mixed = one("  a\n\tb\n", "comment-out: {first: a, last: b}", "t.yml")
    assert mixed == b"#  a\n#\tb\n"


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("a.cu", "f();\n", b"//f();\n"),
        ("Dockerfile", "f();\n", b"#f();\n"),
        ("run", "#!/bin/sh\nf();\n", b"#!/bin/sh\n#f();\n"),
        ("a.lua", "f();\n", b"--f();\n"),
    ],
)
def test_the_comment_style_is_that_of_the_file(path: str, data: str, expected: bytes) -> None:
    assert one(data, "comment-out: {first: f();}", path) == expected


def test_a_file_without_a_known_comment_style_needs_a_marker() -> None:
    message = refused({"a.vim": "f()\n"}, "[{comment-out: {first: f()}, files: a.vim, count: 1}]")
    assert "a.vim:1: f()  (no comment style is known for this kind of file; say `marker`)" in message
    assert one("f()\n", "comment-out: {first: f(), marker: '\"'}", "a.vim") == b'"f()\n'


def test_a_block_without_its_last_line_is_shown() -> None:
    message = refused(
        {"a.py": JIT}, "[{comment-out: {first: \"if sys.platform != 'darwin':\", last: d()}, files: a.py, count: 1}]"
    )
    assert "a.py:3: if sys.platform != 'darwin':  (begins a block, but 'd()' does not follow)" in message


def test_a_block_whose_first_line_moved_shows_the_closest_lines() -> None:
    message = refused(
        {"a.py": JIT}, "[{comment-out: {first: 'if sys.platform == \"linux\":', last: c()}, files: a.py, count: 1}]"
    )
    assert "a.py:3: if sys.platform != 'darwin':" in message and "a.py:7: c()" in message


# --- define

SKIP = 'define: from torch.nn.utils import skip_init, as: "def skip_init(cls, *a, **k):\\n    return cls(*a, **k)\\n"'


def test_define_keeps_the_import_as_a_comment_above_the_definition() -> None:
    new = one("import torch\nfrom torch.nn.utils import skip_init\nx = 1\n", SKIP)
    assert new.decode() == (
        "import torch\n#from torch.nn.utils import skip_init\n"
        "def skip_init(cls, *a, **k):\n    return cls(*a, **k)\nx = 1\n"
    )


def test_define_keeps_the_other_names_of_the_statement() -> None:
    new = one("from torch.nn.utils import (\n    clip_grad as c,\n    skip_init,  # new\n    rnn,\n)\n", SKIP)
    assert new.decode() == (
        "#from torch.nn.utils import (\n#    clip_grad as c,\n#    skip_init,  # new\n#    rnn,\n#)\n"
        "from torch.nn.utils import clip_grad as c, rnn\ndef skip_init(cls, *a, **k):\n    return cls(*a, **k)\n"
    )


def test_define_indents_code_but_not_the_inside_of_strings() -> None:
    data = "try:\n    from a import b  # why\nexcept ImportError:\n    pass\n"
    code = '"b = \\"\\"\\"x\\n  y\\n\\"\\"\\"\\n\\nc = f(\\n  b)\\n"'
    new = one(data, f"define: from a import b, as: {code}")
    assert new.decode() == (
        'try:\n    #from a import b  # why\n    b = """x\n  y\n"""\n\n    c = f(\n      b)\n'
        "except ImportError:\n    pass\n"
    )


@pytest.mark.parametrize(
    ("line", "statement"),
    [
        ("from .b import c", "from .b import c"),
        ("from . import c", "from . import c"),
        ("import x.y as c", "import x.y as c"),
        ("from b import d as c", "from b import d as c"),
        ("import c", "import c"),
    ],
)
def test_define_knows_every_form_of_import(line: str, statement: str) -> None:
    assert one(line + "\n", f"define: {statement}, as: c = 1") == f"#{line}\nc = 1\n".encode()


def test_define_in_a_file_with_crlf_and_non_ascii_text() -> None:
    new = one("s = '数'\r\nfrom a import b, é\r\n".encode(), "define: from a import b, as: b = 1")
    assert new == "s = '数'\r\n#from a import b, é\r\nfrom a import é\r\nb = 1\r\n".encode()


def test_imports_that_cannot_be_replaced_are_shown_with_the_reason() -> None:
    files: dict[str, bytes | str] = {
        "a.py": "import os; from a import b\n",
        "b.py": "from a import b as c\nimport b\nfrom z import b\n",
        "c.py": "print 'python 2'\nfrom a import b\n",
        "d.py": "if x: from a import b\n",
        "e.py": "from a import b\rx = 1\n",
        "g.py": "from a import *\nfrom z import *\nx = 2 * a\n",
        "f.py": b"s = '\xff'\nfrom a import b\n",
    }
    message = refused(files, "[{define: from a import b, as: b = 1, files: '*.py', count: 1}]")
    assert "a.py:1: import os; from a import b  (shares its line with another statement" in message
    assert "d.py:1: if x: from a import b  (shares its line" in message
    assert all(f"b.py:{n}: " in message for n in (1, 2, 3)) and message.count("(imports it in another way)") == 4
    assert "c.py:2: from a import b  (the file is no Python that can be parsed" in message
    assert "g.py:1: from a import *" in message and "g.py:2" not in message
    assert "f.py:2: from a import b  (the file is no Python that can be parsed" in message
    assert "e.py:1" in message and "carriage returns" in message


def test_a_file_without_the_import_shows_the_closest_lines() -> None:
    message = refused({"a.py": "from torch.nn import utils\n"}, f"[{{{SKIP}, files: a.py, count: 1}}]")
    assert "a.py:1: from torch.nn import utils" in message


# --- set-line


def test_set_line_by_its_text() -> None:
    assert one("a\ntorch>=1.10\ntorch>=1.10.1\n", "set-line: torch>=1.10, to: '# torch>=1.10'", "r.txt") == (
        b"a\n# torch>=1.10\ntorch>=1.10.1\n"
    )


def test_set_line_by_its_number_and_text() -> None:
    assert one(b"x\r\nx\r\nx", "set-line: x, to: y, at: 3", "r.txt") == b"x\r\nx\r\ny"
    assert one(b"x\r\nx\r\nx", "set-line: x, to: y, at: 2", "r.txt") == b"x\r\ny\r\nx"


def test_set_line_by_a_pattern_for_the_whole_line() -> None:
    step = r"set-line: '(\s*)PORT=(\d+)', to: '\1PORT=9\2', regex: true"
    assert one("PORT=1 # no\n  PORT=80\n", step, "r.sh") == b"PORT=1 # no\n  PORT=980\n"


def test_set_line_shows_what_the_line_says_now_and_where_it_went() -> None:
    message = refused({"r.txt": "a\nb\nc\nb\n"}, "[{set-line: b, to: x, at: 3, files: r.txt, count: 1}]")
    assert "r.txt:3: c  (is what this line says)" in message
    assert "r.txt:2: b  (is another line than 3)" in message and "r.txt:4: b" in message


def test_set_line_beyond_the_end() -> None:
    message = refused({"r.txt": "a\n"}, "[{set-line: b, to: x, at: 3, files: r.txt, count: 1}]")
    assert "    r.txt: has 1 lines\n" in message


def test_set_line_shows_lines_that_differ_in_white_space() -> None:
    message = refused({"r.sh": "  a\na \n"}, "[{set-line: a, to: x, files: r.sh, count: 1}]")
    assert message.count("(differs in the white space around it)") == 2


# --- all of them


def test_a_python_file_that_no_longer_compiles_stops_with_file_and_line() -> None:
    message = refused({"a.py": "x = 1\ny = f(2)\n"}, "[{name: p, replace: f(, with: f((, files: a.py, count: 1}]")
    assert message.startswith("patch step 1 (p): the result does not compile\n    a.py:2: y = f((2)  (")


def test_an_empty_suite_is_noticed_and_then_fills_it() -> None:
    block = "comment-out: {first: f()%s}"
    assert "does not compile" in refused(
        {"a.py": "if x:\n    f()\ny = 1\n"}, f"[{{{block % ''}, files: a.py, count: 1}}]"
    )
    assert one("if x:\n    f()\ny = 1\n", block % ", then: pass") == b"if x:\n    #f()\n    pass\ny = 1\n"


def test_a_file_that_did_not_compile_before_may_stay_so() -> None:
    assert one("print 'a'\nf()\n", "replace: f, with: g") == b"print 'a'\ng()\n"


def test_warnings_about_the_code_are_no_output(recwarn: pytest.WarningsRecorder) -> None:
    assert one("s = '\\d'\nassert (s, 'x')\nf()\n", "replace: f, with: g") == b"s = '\\d'\nassert (s, 'x')\ng()\n"
    assert not recwarn.list
