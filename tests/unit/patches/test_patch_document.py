import pytest
from hypothesis import given
from hypothesis import strategies as st

from portside.patches.document import Document, TextEdit, readable

ANY_BYTES = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\xff", "é".encode(), b"\xef\xbb\xbf"]), max_size=30).map(
        b"".join
    ),
)


@given(ANY_BYTES, st.sampled_from(["a.py", "a.txt"]))
def test_a_file_without_changes_keeps_every_byte(data: bytes, path: str) -> None:
    document = Document.read(path, data)
    assert document.change([]) == data
    assert "\r\n" not in document.text or b"\r\r\n" in data


@given(ANY_BYTES, st.data())
def test_bytes_before_and_after_a_place_stay(data: bytes, draw: st.DataObject) -> None:
    document = Document.read("a.txt", data)
    start = draw.draw(st.integers(0, len(document.text)))
    end = draw.draw(st.integers(start, len(document.text)))
    new = document.change([TextEdit(start, end, "NEW")])
    before, _, after = new.partition(b"NEW")
    assert data.startswith(before) and data.endswith(after)
    assert len(before) + len(after) <= len(data)


@given(ANY_BYTES)
def test_lines_and_their_starts_agree(data: bytes) -> None:
    document = Document.read("a.txt", data)
    for number, (line, start) in enumerate(zip(document.lines, document.starts, strict=True), 1):
        assert document.text[start : start + len(line)] == line
        assert document.line_of(start) == document.line_of(start + len(line)) == number


@pytest.mark.parametrize(
    ("data", "new", "expected"),
    [
        (b"a\r\nb\r\nc\r\n", "1\n2\n3", b"1\r\n2\r\n3\r\nc\r\n"),
        (b"a\nb\r\nc\r\n", "1\n2\n3", b"1\n2\r\n3\r\nc\r\n"),
        (b"a\r\nb", "1\n2\n3", b"1\r\n2\r\n3"),
        (b"a\nb\n", "1", b"1\n"),
    ],
)
def test_line_ends_of_new_text_are_those_of_the_place(data: bytes, new: str, expected: bytes) -> None:
    document = Document.read("a.txt", data)
    assert document.change([document.line_range(1, 2, new)]) == expected


def test_a_declared_encoding_is_read_and_written() -> None:
    data = "# -*- coding: gbk -*-\nname = '数据'  # 表\n".encode("gbk")
    document = Document.read("a.py", data)
    start = document.text.index("数据")
    assert document.change([TextEdit(start, start + 2, "模型")]) == data.replace(
        "数据".encode("gbk"), "模型".encode("gbk")
    )


@pytest.mark.parametrize("cookie", ["no-such-encoding", "iso-2022-jp", "utf-7", "rot13"])
def test_encodings_that_cannot_be_spliced_are_read_as_bytes(cookie: str) -> None:
    data = f"# coding: {cookie}\n".encode() + b"x = '\xb1\xff'\n"
    document = Document.read("a.py", data)
    assert document.encoding == "utf-8"
    start = document.text.index("x")
    assert document.change([TextEdit(start, start + 1, "y")]) == data.replace(b"x =", b"y =")


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    document = Document.read("a.py", b"\xef\xbb\xbfimport a\n")
    assert document.lines == ["import a"]
    assert document.change([document.line_range(1, 1, "import b")]) == b"\xef\xbb\xbfimport b\n"


def test_bytes_that_are_no_text_are_readable() -> None:
    assert readable(Document.read("a", b"x\xff\xe9").text) == "x\\xff\\xe9"
