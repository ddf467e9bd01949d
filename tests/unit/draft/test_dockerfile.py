"""`--from-dockerfile`: which line goes where, and that the others are listed."""

from pathlib import Path

import pytest
from drafts import behind, draft, recipe

from portside.errors import RecipeError

DOCKERFILE = r"""# syntax=docker/dockerfile:1
ARG TAG=22.04
FROM golang:1 AS tools
RUN go build x
FROM ubuntu:${TAG}
LABEL maintainer=me
ENV DEBIAN_FRONTEND=noninteractive \
    MODEL=/models \
    PATH=/opt/x/bin:$PATH
ENV LANG C.UTF-8
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends \
    python3 libsndfile1 \
    # a comment
    libgomp1 && rm -rf /var/lib/apt/lists/*
COPY requirements.txt /tmp/
RUN --mount=type=cache,target=/root/.cache pip3 install -r /tmp/requirements.txt && pip install einops==0.7
COPY . /app
COPY --from=tools /x /usr/bin/x
RUN <<EOF
echo hidden
EOF
RUN ./build.sh && make install
USER nobody
EXPOSE 8080/tcp
WORKDIR /app/server
ENTRYPOINT ["python3", "/app/server/main.py"]
CMD ["--port", "8080"]
"""
FILES: dict[str, str | bytes] = {
    "docker/Dockerfile": DOCKERFILE,
    "requirements.txt": "numpy\n",
    "server/main.py": "import numpy\n",
}


def test_lines_go_into_keys(tmp_path: Path) -> None:
    made = draft(tmp_path, FILES, dockerfile="docker/Dockerfile")
    found = recipe(made)
    assert found["base"] == {"image": "ubuntu:22.04"} and behind(made, "base:") == "docker/Dockerfile:5"
    assert found["env"]["debian"] == ["python3", "python3-pip", "libgomp1", "libsndfile1"]
    assert found["env"]["python"]["version"] == "3.10"
    assert found["env"]["python"]["requirements"] == [{"from": "demo/requirements.txt"}, "einops==0.7"]
    assert behind(made, "- {from") == "docker/Dockerfile:17"
    assert found["env"]["variables"] == {"MODEL": "/models", "LANG": "C.UTF-8"}
    assert found["env"]["path"] == ["/opt/x/bin"]
    assert found["run"]["workdir"] == "/workspace/demo/demo/server"
    assert found["run"]["command"] == "python3 /workspace/demo/demo/server/main.py --port 8080"
    assert found["run"]["targets"]["dockerfile"]["ports"] == {"port": 8080}


def test_the_others_are_listed(tmp_path: Path) -> None:
    left = draft(tmp_path, FILES, dockerfile="docker/Dockerfile").left
    for line in (
        "docker/Dockerfile:4: RUN of an earlier stage: go build x",
        "docker/Dockerfile:7: ENV DEBIAN_FRONTEND (only building needs it)",
        "docker/Dockerfile:19: COPY --from=tools /x /usr/bin/x",
        "docker/Dockerfile:20: RUN <<EOF",
        "docker/Dockerfile:23: RUN ./build.sh",
        "docker/Dockerfile:23: RUN make install",
        "docker/Dockerfile:24: USER nobody",
    ):
        assert line in left, left
    assert not any("hidden" in line for line in left)


def test_one_of_this_machine_and_one_that_is_nowhere(tmp_path: Path) -> None:
    own = tmp_path / "Dockerfile.mine"
    own.write_text("FROM debian:trixie-slim\nRUN pip install .\nCMD python3 -m x\n")
    files: dict[str, str | bytes] = {"setup.py": "from setuptools import setup\nsetup(name='x')\n"}
    made = draft(tmp_path, files, dockerfile=str(own))
    assert recipe(made)["base"] == {"debian": {"suite": "trixie"}}
    assert recipe(made)["install"] == [
        "python3 -m pip install --no-deps --no-build-isolation --use-pep517 --editable demo"
    ]
    assert recipe(made)["run"]["command"] == "python3 -m x"
    with pytest.raises(RecipeError, match="no file Dockerfile in demo"):
        draft(tmp_path, files, dockerfile="Dockerfile")


def test_a_vendors_base_stays_before_that_of_the_dockerfile(tmp_path: Path) -> None:
    made = draft(tmp_path, FILES, dockerfile="docker/Dockerfile", accelerator="mlu")
    assert list(recipe(made)["base"]) == ["archive"]
    assert "docker/Dockerfile:5: FROM ubuntu:22.04" in made.left


@pytest.mark.parametrize(
    "text", ["", "FROM", "FROM $X\nENV\nCMD\nRUN\nCOPY\nEXPOSE x", 'RUN ["', "ENV A='\n\\", "FROM a/B:c"]
)
def test_broken_ones_are_drafts_too(tmp_path: Path, text: str) -> None:
    assert recipe(draft(tmp_path, {"Dockerfile": text, "a.py": ""}, dockerfile="Dockerfile"))["sources"]
