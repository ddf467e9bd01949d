"""report.html in a real headless browser, from file://.

What the page shows after its script ran is read with --dump-dom; filters are set through the address's fragment, as
a person's click sets it, and by events that a script in a copy of the page sends.
"""

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from portside.common.tree import Tree, file_entry
from portside.migrate.migration import migrate
from portside.migrate.other_converter import compare
from portside.migrate.report import PatchHit, to_html
from portside.migrate.rulesets import load

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

SOURCE = Tree(
    [
        file_entry("api.py", b"import torch\n\nDEVICE = 'cuda'\n# cuda\ntorch.cuda.ipc_collect()\nx.cuda()\n"),
        file_entry("sub/<odd> & name.py", b"import torch\nrun('cuda')\n"),
        file_entry("kernel.cu", b""),
        file_entry("wide.py", b"x = torch.zeros(" + b"1, " * 120 + b").cuda()\n"),
    ]
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    migration = migrate(SOURCE, load("mlu"), "precise")
    compare(SOURCE, migrate(SOURCE, load("mlu"), "vendor").tree, migration.tree, migration.report)
    patched = migration.tree.copy()
    patched.write("api.py", patched["api.py"].read().replace(b"# cuda", b"# patched"))
    migration.report.add_patches("api.py", [PatchHit("say-patched", 5, "# cuda", "# patched")])
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(to_html(migration.report, SOURCE, patched))
    return path


def chromium(tmp_path: Path, *arguments: str) -> str:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert browser is not None, "this test needs Chromium: apt-get install chromium"
    command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def dump(page: Path, tmp_path: Path, fragment: str = "") -> str:
    return chromium(tmp_path, "--dump-dom", f"{page.as_uri()}{fragment}")


def visible_hits(dom: str) -> list[tuple[str, str]]:
    """(class, rule) of the hits that are shown."""
    return re.findall(r'<tr class="hit" data-class="([^"]*)" data-rule="([^"]*)">', dom)


def visible_files(dom: str) -> list[str]:
    found = re.findall(r'<details class="file"[^>]*data-path="([^"]*)"([^>]*)>', dom)
    return [path for path, rest in found if "hidden" not in rest]


def shown(dom: str) -> str:
    match = re.search(r'<output id="shown">([^<]*)', dom)
    assert match is not None
    return match[1]


def test_everything_is_shown_first(page: Path, tmp_path: Path) -> None:
    dom = dump(page, tmp_path)
    assert visible_files(dom) == ["api.py", "kernel.cu", "sub/&lt;odd&gt; &amp; name.py", "wide.py"]
    assert shown(dom) == f"{len(visible_hits(dom))} places in 4 files"
    assert {cls for cls, _ in visible_hits(dom)} == {"rewritten", "kept", "unsupported", "needs-person", "patched"}
    assert 'id="none" hidden' in dom


def test_filter_by_class(page: Path, tmp_path: Path) -> None:
    dom = dump(page, tmp_path, "#class=unsupported")
    assert {cls for cls, _ in visible_hits(dom)} == {"unsupported"}
    assert visible_files(dom) == ["api.py", "kernel.cu"]
    assert shown(dom) == "2 places in 2 files"


def test_filter_by_rule_and_path(page: Path, tmp_path: Path) -> None:
    dom = dump(page, tmp_path, "#rule=cuda-method")
    assert visible_hits(dom) == [("rewritten", "cuda-method")] * 2
    dom = dump(page, tmp_path, "#rule=cuda-method&path=WIDE")
    assert visible_files(dom) == ["wide.py"]
    dom = dump(page, tmp_path, "#rule=cuda-method&class=kept")
    assert (visible_files(dom), shown(dom)) == ([], "0 places in 0 files")
    assert 'id="none" hidden' not in dom


def test_a_click_filters_and_is_remembered_in_the_address(page: Path, tmp_path: Path) -> None:
    copy = tmp_path / "clicked.html"
    script = (
        "<script>document.querySelector('input[value=rewritten]').click();"
        "document.getElementById('path').value = 'api';"
        "document.getElementById('path').dispatchEvent(new Event('input', {bubbles: true}));"
        "document.title = location.hash;</script></body>"
    )
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    dom = dump(copy, tmp_path)
    assert "rewritten" not in {cls for cls, _ in visible_hits(dom)}
    assert visible_files(dom) == ["api.py"]
    assert "<title>#class=kept%2Cunsupported%2Cneeds-person%2Cpatched&amp;path=api</title>" in dom


@pytest.mark.parametrize("width", [1280, 1920])
def test_the_page_fits_the_width(page: Path, tmp_path: Path, width: int) -> None:
    """Nothing is wider than the window, however long a line of code is, and nothing was fetched from elsewhere."""
    copy = tmp_path / "measured.html"
    script = (
        "<script>const wide = [...document.querySelectorAll('main *, nav, form')]"
        ".filter((e) => e.getBoundingClientRect().right > innerWidth + 1).length;"
        "document.title = [innerWidth, document.documentElement.scrollWidth, wide,"
        " performance.getEntriesByType('resource').length].join(' ');</script></body>"
    )
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    dom = chromium(tmp_path, f"--window-size={width},900", "--dump-dom", copy.as_uri())
    title = re.search(r"<title>(\d+) (\d+) (\d+) (\d+)</title>", dom)
    assert title is not None
    inner, scroll, wide, fetched = map(int, title.groups())
    assert (inner, wide, fetched) == (width, 0, 0)
    assert scroll <= inner


def test_a_screenshot_has_colours(page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "shot.png"
    chromium(tmp_path, "--window-size=1280,900", f"--screenshot={picture}", page.as_uri())
    data = picture.read_bytes()
    assert struct.unpack(">II", data[16:24]) == (1280, 900)
    assert len(data) > 20_000
