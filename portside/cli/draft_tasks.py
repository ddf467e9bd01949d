"""The task `new`: the first recipe for somebody's repository."""

from invoke.context import Context

from portside.cli.task import JSON, portside_task, project, show, tell, usage_error


@portside_task(
    positional=["name"],
    help={
        "name": "of the recipe: recipes/NAME.yaml, which must not be there yet",
        "source": "git URL or folder, with @TAG, @BRANCH or @COMMIT behind it or none",
        "accelerator": "what it is ported to, such as mlu370, ascend, cuda; default: cpu",
        "base": "debian:SUITE, an image such as ubuntu:22.04, or archive:FILE; default: what the accelerator needs",
        "weights": "huggingface:ORG/NAME or modelscope:ORG/NAME, with @REVISION; others that are named are listed",
        "from-dockerfile": "a Dockerfile, of the repository or here: its lines are placed into keys, or listed",
        "dry-run": "print the recipe, and write nothing",
        "no-lock": "do not lock what was written",
        "json": JSON,
    },
)
def new(
    c: Context,
    name: str,
    source: str,
    accelerator: str | None = None,
    base: str | None = None,
    weights: str | None = None,
    from_dockerfile: str | None = None,
    dry_run: bool = False,
    no_lock: bool = False,
    json: bool = False,
) -> None:
    """Draft a recipe out of a repository, of which nothing is executed; each line says where it comes from.

    Example: invoke new yolact --source https://github.com/dbolya/yolact --accelerator mlu370
    """
    from portside.common.progress import say
    from portside.draft.new import draft_recipe, write_draft
    from portside.errors import PortsideError
    from portside.resolve.chain import lock_recipe

    if name.startswith("-"):
        usage_error(f"new has no option {name}", "All options: invoke --help new")
    p = project()
    drafted = draft_recipe(
        p, name, source, accelerator=accelerator, base=base, weights=weights, dockerfile=from_dockerfile
    )
    report = {
        "recipe": name,
        "files": drafted.paths,
        "guesses": drafted.guesses,
        "left": list(drafted.left),
        "written": not dry_run,
        "locked": False,
        "not_locked": drafted.unfit or None,
    }
    if dry_run:
        if json:
            show(report | {"text": drafted.text})
        else:
            print(drafted.text, end="")
        return
    for path in write_draft(p, drafted):
        say(f"  {path}")
    if not no_lock and not drafted.unfit:
        try:
            lock_recipe(p, p.recipe(name))
            report["locked"] = True
        except PortsideError as error:
            report["not_locked"] = str(error)
    if json:
        show(report)
        return
    if report["locked"]:
        tell([f"recipes/{name}.lock: written"])
    elif not no_lock:
        tell([f"Not locked: {report['not_locked']}"])
    tell(
        [
            f"Look at the {drafted.guesses} line(s) that are marked `# ?`, and at what is not in it, at the end.",
            f"Then: invoke build --recipe {name} && invoke check --recipe {name}",
        ]
    )
