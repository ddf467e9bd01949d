"""The command line around the tasks: what invoke's own program says in its terms, said in ours.

The command `portside`, and `python -m portside`, which stands behind scripts/invoke. The tasks are Portside's own,
whatever project they are run in, and there need not be one.

Options have long names only, what cannot be understood ends with exit code 2, and help shows every option's value.
"""

import gc
import inspect
import re
import sys
import traceback
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from invoke.collection import Collection
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.program import Program
from invoke.util import helpline

from portside import __version__
from portside.cli import root
from portside.cli.completion import BASH, values
from portside.cli.lean import without_plugins
from portside.cli.task import example, leave, leave_if_stdout_fails, required, set_up_streams, usage_error
from portside.common.called import called, set_command, to_person
from portside.common.stopped import StoppedError, end_at_once, end_cleanly
from portside.common.url import without_secrets
from portside.errors import did_you_mean

_UNKNOWN = re.compile(r"No idea what (['\"])(.*)\1 is!", re.DOTALL)
_NO_VALUE = re.compile(r"Flag <Argument: ([\w-]+).* needed value", re.DOTALL)
_A_VALUE = re.compile(r"Flag <Argument: ([\w-]+).* doesn't take any value", re.DOTALL)

_LEFT_OUT = {"init": "."}
"""Task -> the value of its positional argument if that is left out."""


class Portside(Program):
    """invoke's program with Portside's help and errors; tasks and core options are invoke's."""

    def __init__(self, command: str = "invoke") -> None:
        super().__init__(name=command, binary=command, binary_names=["invoke", "portside"])
        self.command = command

    def task_args(self) -> list[Argument]:
        """invoke's, without --collection: the tasks are always the same."""
        return [argument for argument in super().task_args() if argument.name != "collection"]

    def load_collection(self) -> None:
        asked = self.args["search-root"].value
        root.search_root = Path(asked).absolute() if asked else None
        from portside.cli import tasks

        self.collection = Collection.from_module(tasks)
        if root.is_own_checkout(root.project_root()):
            from portside.cli.own_tests import test

            self.collection.add_task(test)
        set_command(self.command, self.collection.task_names)

    def normalize_argv(self, argv: list[str] | None) -> None:
        """`help TASK` is `--help TASK`, and the script for bash is ours."""
        super().normalize_argv(argv)
        if " ".join(self.argv[1:]).replace("=", " ") == "--print-completion-script bash":
            print(BASH.replace("COMMAND", self.command))
            raise Exit
        first, *rest = self.argv[1:] or ["--list"]
        if first == "help":
            self.argv = [self.argv[0], "--help", *rest]
        elif rest[:1] in (["--help"], ["-h"]) and not first.startswith("-"):
            # Otherwise a task with an argument that has no option's name takes it for that argument.
            self.argv = [self.argv[0], "--help", first]

    def parse_core(self, argv: list[str] | None) -> None:
        writes = not sys.dont_write_bytecode
        super().parse_core(argv)
        sys.dont_write_bytecode = not writes  # invoke turns it off, which makes every start slow

    def parse_tasks(self) -> None:
        try:
            super().parse_tasks()
            self._check_repeated()
        except ParseError as error:
            if not self._fill_in(error):
                self._explain(error)
            self.parse_tasks()

    def parse_cleanup(self) -> None:
        if self.args.complete.value and (found := values(self.core.remainder, root.project_root())) is not None:
            print("\n".join(found))
            raise Exit
        try:
            super().parse_cleanup()
        except ParseError as error:
            self._explain(error)

    def _fill_in(self, error: ParseError) -> bool:
        """Give a task the argument that may be left out, where invoke knows only those that have to be given."""
        name = error.context.name if error.context else None
        if error.context is None or name not in _LEFT_OUT or not error.context.missing_positional_args:
            return False
        words = self.core.unparsed
        words.insert(len(words) - words[::-1].index(name), _LEFT_OUT[name])
        return True

    def _explain(self, error: ParseError) -> NoReturn:
        name = error.context.name if error.context else None
        if unknown := _UNKNOWN.fullmatch(str(error)):
            self._unknown(unknown[2], error.context)
        if name is not None and (flag := _NO_VALUE.match(str(error))):
            usage_error(f"{name}: --{flag[1]} needs a value", self._hint(name))
        if name is not None and (flag := _A_VALUE.match(str(error))):
            usage_error(f"{name}: --{flag[1]} takes no value", self._hint(name))
        if error.context and (missing := error.context.missing_positional_args):
            usage_error(f"{name} needs {' and '.join(arg.names[0].upper() for arg in missing)}", self._hint(name))
        usage_error(str(error), self._hint(name))

    def _check_repeated(self) -> None:
        """invoke takes a repeatable option without a value for one that was not given."""
        repeated = {f"--{arg.name}" for task in self.tasks for arg in task.args.values() if arg.kind is list}
        for word, following in pairwise([*self.core.unparsed, "--"]):
            if word in repeated and following.startswith("--"):
                usage_error(f"{self.tasks[-1].name}: {word} needs a value", self._hint(self.tasks[-1].name))

    def _unknown(self, word: str, context: ParserContext | None) -> NoReturn:
        tasks = sorted(self.parser.contexts)
        task = context.name if context else None
        if context is None or task is None:
            if word.startswith("-"):
                hint = f"What a task is told comes after the task: invoke TASK {word} …; all tasks: invoke --list"
                usage_error(f"no option '{word}' in front of the tasks", hint)
            usage_error(f"no task '{word}'", f"{did_you_mean(word, tasks)}The tasks are {', '.join(tasks)}.")
        if word.startswith("-"):
            hint = did_you_mean(word.partition("=")[0], context.flag_names())
            usage_error(f"{task} has no option {word}", hint + self._hint(task))
        from portside.recipe import find_recipes

        hint = did_you_mean(word, tasks)
        here = root.project_root()
        if here and "recipe" in context.args and word in find_recipes(here):
            if context.args["recipe"].kind is not list and context.args["recipe"].value is not None:
                usage_error(f"{task} takes one recipe: '{word}' is another", self._hint(task))
            hint = f"Did you mean --recipe {word}? "
        usage_error(f"{task} does not take '{word}', and no task has that name", hint + self._hint(task))

    def _hint(self, task: str | None) -> str:
        if task is None:
            return "All tasks: invoke --list"
        shown = example(self.collection[task].__doc__)
        return f"{f'Example: {shown}; all' if shown else 'All'} options: invoke --help {task}"

    def print_version(self) -> None:
        print(f"Portside {__version__}")

    def print_help(self) -> None:
        if not hasattr(self, "collection"):
            self.load_collection()
        print(called("Usage: invoke TASK [--option …] [TASK [--option …] …]\n\nTasks:\n"))
        rows = [(name, called(helpline(self.collection[name]) or "")) for name in sorted(self.collection.task_names)]
        self.print_columns(rows)
        print(called("Help for one task, with an example: invoke help TASK"))
        print("\nFor all tasks, in front of them:\n")
        wanted = ("debug", "help", "list", "print-completion-script", "version")
        core = [arg for arg in self.initial_context.flags.values() if arg.names[0] in wanted]
        self.print_columns([(_shown(arg), arg.help) for arg in core if arg.help])

    def print_task_help(self, name: str) -> None:
        context: ParserContext = self.parser.contexts[name]
        body = self.collection[name].body
        form = "[{}]" if name in _LEFT_OUT else "{}"
        positional = [form.format(arg.names[0].upper()) for arg in context.positional_args]
        needed = [arg for arg in context.args.values() if arg.name in required(body) and not arg.positional]
        others = [arg for arg in context.args.values() if arg not in needed and not arg.positional]
        rest = ["[--option …]"] if others else []
        print(" ".join([f"Usage: {self.command}", name, *positional, *map(_shown, needed), *rest]) + "\n")
        print(called(inspect.getdoc(body) or ""))
        rows = [(arg.names[0].upper(), called(arg.help or "")) for arg in context.positional_args]
        rows += [
            (_shown(arg), called(arg.help or "")) for arg in [*needed, *sorted(others, key=lambda arg: arg.names[0])]
        ]
        if rows:
            print("\nOptions:\n")
            self.print_columns(rows)


def _shown(argument: Argument) -> str:
    """`--layer LAYER`; a core option's short name goes in front, as invoke has it."""
    names = sorted(argument.names, key=len)
    value = f" {argument.names[0].rpartition('-')[2].upper()}" if argument.takes_value else ""
    return ", ".join(f"-{name}" if len(name) == 1 else f"--{name}" for name in names) + value


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback, for a fault that nobody expected, without the passwords of URLs in it."""
    text = without_secrets("".join(traceback.format_exception(kind, error, trace)))
    print(to_person(text), end="", file=sys.stderr)


def portside() -> None:
    """The command `portside`."""
    main("portside")


def main(command: str = "invoke") -> None:
    """Run the program on the arguments of this process. command: what a person calls it by, for what it says."""
    # Imports make a hundred thousand objects that all stay: to look through them time and again is a tenth of a start.
    gc.set_threshold(50_000, 20, 20)
    without_plugins()
    set_up_streams()
    sys.excepthook = _report
    end_cleanly()
    try:
        Portside(command).run()
    except StoppedError as stopped:
        leave(128 + stopped.number)
    finally:
        end_at_once()
        leave_if_stdout_fails()
