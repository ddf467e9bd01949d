"""What a person is told of a temporary image: the part that is built, and not the name that the engine has for it."""

from pathlib import Path

from portside.engines import ImageToBuild, ImageToLoad
from portside.engines.command import build_failed

TAG = "portside.invalid/build:0123456789ab-00"


def test_a_failed_step_names_the_part_everywhere() -> None:
    image = ImageToBuild(Path("c"), Path("d"), TAG, shown="env/apt")
    error = build_failed(image, f"FROM {TAG}-parent", [f"naming to {TAG}", "no such file"])
    assert error.problem.startswith("env/apt could not be built at FROM env/apt-parent;")
    assert "naming to env/apt\n" in error.problem and TAG not in error.problem


def test_without_a_name_for_people_it_is_the_tag() -> None:
    assert ImageToBuild(Path("c"), Path("d"), TAG).title == TAG
    assert ImageToLoad(b"{}", (), (TAG,)).title() == TAG
    assert ImageToLoad(b"{}", (), (TAG,), "env/apt-parent").title() == "env/apt-parent"
    assert len(ImageToLoad(b"{}", (), ()).title(12)) == 12
