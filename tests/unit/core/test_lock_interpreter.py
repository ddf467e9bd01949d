"""The version of Python that wheels are chosen for has to be that of the interpreter that installs them."""

import pytest

from portside.errors import RecipeError
from portside.lock.packages import Deb
from portside.resolve.debian_python import check_interpreter


def debs(**versions: str) -> list[Deb]:
    return [
        Deb(name=name.replace("_", "-"), version=version, architecture="all", path="pool/x", size=1, sha256="0" * 64)
        for name, version in versions.items()
    ]


def test_the_interpreter_of_the_image_is_the_one_that_is_asked_for() -> None:
    check_interpreter("3.11", debs(python3="3.11.2-1+b1", python3_pip="23.0.1+dfsg-1"))
    check_interpreter("3.13", debs(python3="1:3.13.5-1", python3_pip="25.1.1+dfsg-1"))


def test_another_version_of_python_is_told_before_anything_is_built() -> None:
    with pytest.raises(RecipeError, match=r"env\.python\.version is 3\.12, but .* python3 3\.11\.2-1\+b1") as caught:
        check_interpreter("3.12", debs(python3="3.11.2-1+b1", python3_pip="23.0.1"))
    assert caught.value.solution == 'Say version: "3.11".'
    with pytest.raises(RecipeError):
        check_interpreter("3.1", debs(python3="3.11.2-1+b1", python3_pip="23.0.1"))


@pytest.mark.parametrize("there", [debs(), debs(python3="3.11.2-1+b1")])
def test_without_python_or_pip_nothing_could_install_the_wheels(there: list[Deb]) -> None:
    with pytest.raises(RecipeError, match="python3") as caught:
        check_interpreter("3.11", there)
    assert caught.value.solution == "Add python3-pip to env.debian: what it needs comes along."
