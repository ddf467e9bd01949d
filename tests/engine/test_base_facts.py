"""A base with a virtual environment and a `set_env.sh` that sources others: what `lock` reads and runs, built and
checked. The base is made of this machine's own Python."""

import json
import os
import sys
from pathlib import Path

from own_left import remove_unnamed
from pipeline import Machine, checkout, docker, remove_images
from vendor_standin import VENV, vendor_archive

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "inputs"))

from tiny_wheels import wheel

SCRIPTS = {
    "opt/kit/lib/libkit.so": b"",
    "opt/kit/set_env.sh": b"for part in lib tools; do source /opt/kit/$part.sh $part; done\ncd /\nfalse\n",
    "opt/kit/lib.sh": b'export LD_LIBRARY_PATH="/opt/kit/$1:/opt/driver/lib64:$LD_LIBRARY_PATH" KIT_RUN=$RANDOM$$\n',
    "opt/kit/tools.sh": b'export KIT_HOME=/opt/kit "NOTE=a \\"b\\" \\$c"\nunset NEUWARE_HOME\necho welcome\n',
}


def test_wheels_land_in_the_bases_environment_and_scripts_become_variables(tmp_path: Path) -> None:
    links = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "links"), "PIP_CONFIG_FILE": os.devnull}
    machine = Machine(checkout(tmp_path / "checkout"), tmp_path / "home", links)
    name = f"facts-{os.getpid()}x{os.urandom(3).hex()}"
    vendor_archive(tmp_path / "base.tar.gz", "vendor-facts:1", dict(SCRIPTS))
    wheel(tmp_path / "links", "tiny", "1.0", "torch")
    (machine.checkout / "portside.toml").write_text(f'folders = ["{tmp_path}"]\n')
    recipe = {
        "description": "facts of a base",
        "base": {"archive": {"file": "base.tar.gz", "origin": "a test"}},
        "accelerator": {"name": "cpu"},
        "env": {
            "python": {"interpreter": f"/{VENV}/bin/python3", "requirements": ["tiny"]},
            "activate": ["/opt/kit/set_env.sh"],
        },
        "install": ["test $KIT_HOME = /opt/kit && python3 -c 'import torch' && test -z ${NEUWARE_HOME-}"],
    }
    (machine.checkout / f"recipes/{name}.yaml").write_text(json.dumps(recipe))
    try:
        said = machine.run("lock", "--recipe", name).stderr
        assert "LD_LIBRARY_PATH: /opt/driver/lib64: not in the base" in said
        assert "left out, as each run gives another value: 'KIT_RUN'" in said
        [packages] = json.loads((machine.checkout / f"recipes/{name}.lock").read_text())["env"]["sets"]
        assert packages["activation"]["set"] == {
            "KIT_HOME": "/opt/kit",
            "LD_LIBRARY_PATH": "/opt/kit/lib:/opt/driver/lib64:",
            "NOTE": 'a "b" $c',
        }
        assert packages["activation"]["unset"] == ["NEUWARE_HOME"]
        assert packages["python"]["interpreter"]["packages"]["torch"] == "1.9.0+standin"
        machine.run("build", "--recipe", name, "--layer", "migrated")
        machine.run("check", "--recipe", name, "--layer", "env")
        run = ("run", "--rm", "--network", "none", f"portside/{name}:migrated", "python3", "-c")
        program = (
            "import os, importlib.metadata as m; print(os.environ['NOTE'], m.distribution('tiny').locate_file(''))"
        )
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        assert docker(*run, program) == f'a "b" $c /{VENV}/lib/python{version}/site-packages\n'
        assert docker("images", "--quiet", "portside.invalid/activate") == ""
    finally:
        remove_images(docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"portside/{name}").split())
        remove_unnamed([name])
