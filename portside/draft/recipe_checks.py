"""The check of a drafted recipe: what the program imports is there, and its programs say what they take."""

import re
from collections.abc import Collection, Iterable, Mapping

from portside.draft.code import CodeBase, PythonFile
from portside.draft.programs import EntryPoint

_BUSY = re.compile(
    r"(^|\.)(from_pretrained|hf_hub_download|snapshot_download|urlretrieve|urlopen|load_state_dict_from_url|load_model|"
    r"current_device|get_device_name|get_device_capability|get_device_properties|set_device|init_process_group|cuda|"
    r"load_dataset|init_distributed)$"
)
_OPENS = re.compile(r"(^|\.)(open|load|read_csv|safe_load|loadtxt|read_text)$")


def busy(entry: EntryPoint, code: CodeBase) -> str:
    """What a program does before it reads its arguments, or as it is imported, that needs more than the image has:
    `PATH:LINE: CALL`; nothing where it does no such thing."""
    files = code.reach([entry.path])
    for path, file in files.items():
        for name, line in file.early:
            if _BUSY.search(name) or (path == entry.path and _OPENS.search(name) and not name.startswith("json.")):
                return f"{path}:{line}: {name}"
    return ""


def lacking(entry: EntryPoint, code: CodeBase, missing: Iterable[str], brought: Collection[str]) -> str:
    """The first import that a program needs as it starts and that nothing brings. missing: modules that no package has.
    brought: the modules of the packages that are asked for."""
    wanted = set(missing)
    for one, file in code.foreign(_first(entry.path, code).values(), [entry.path]):
        if (one.top in wanted or one.top not in brought) and not one.guarded and not one.late:
            return f"{file.path}:{one.line}: imports {one.top}"
    return ""


def _first(path: str, code: CodeBase) -> dict[str, PythonFile]:
    """The modules that are imported as a program starts."""
    waiting, done = [path], dict[str, PythonFile]()
    while waiting:
        here = waiting.pop(0)
        if here in done or (file := code.file(here)) is None:
            continue
        done[here] = file
        for one in file.imports:
            if not one.late and not one.guarded:
                waiting += code.local(one, file, (path.rpartition("/")[0],))
    return done


def check_file(folder: str, modules: Mapping[str, str], helps: Mapping[str, tuple[str, str]]) -> str:
    """The text of a pytest file. modules: what must be importable, and where it is imported. helps: by target, the
    command and the folder that it works in."""
    rows = "".join(f"    {name!r},{f'  # {place}' if place else ''}\n" for name, place in modules.items())
    text = '"""Drafted by `invoke new`. Run by `invoke check`, in a container of the migrated layer."""\n\n'
    text += "from typing import Any\n\nimport pytest\n\n"
    text += f"FOLDER = {folder!r}\nMODULES = [\n{rows}]\n"
    if helps:
        lines = "".join(f"    ({command!r}, {where!r}),\n" for command, where in helps.values())
        text += f"HELPS = [\n{lines}]\n"
    text += '\n\n@pytest.mark.parametrize("module", MODULES)\n'
    text += "def test_it_can_be_imported(host: Any, module: str) -> None:\n"
    text += '    found = host.run("cd %s && python3 -c %s", FOLDER, f"import {module}")\n'
    text += "    assert found.rc == 0, found.stderr\n"
    if helps:
        text += '\n\n@pytest.mark.parametrize(("command", "folder"), HELPS)\n'
        text += "def test_it_says_what_it_takes(host: Any, command: str, folder: str) -> None:\n"
        text += '    found = host.run(f"cd %s && {command}", folder)\n'
        text += '    assert found.rc == 0 and "usage" in found.stdout.lower(), found.stderr\n'
    return text
