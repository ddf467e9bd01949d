"""A ruleset made ready for use: tables to look names up in, and cheap tests for files without any hit."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Literal

from portside.migrate.precise.source import find_all
from portside.migrate.report.hits import HitClass, RuleInfo
from portside.migrate.rulesets.model import (
    ApiRule,
    CallRule,
    EnvironmentRule,
    FileRule,
    KeywordRule,
    LiteralRule,
    MemberRule,
    ModuleRule,
    PlaceRule,
    ProgramRule,
    ReportedMemberRule,
    RequirementRule,
    Rule,
    Ruleset,
    StringRule,
)

CLASS_OF: dict[str, HitClass] = {
    "rewrite": "rewritten",
    "keep": "kept",
    "unsupported": "unsupported",
    "person": "needs-person",
}


_NOTHING = re.compile(rb"(?!)")


@dataclass(frozen=True, slots=True)
class NewName:
    """What a rule makes of a name: its new form (the same, where the rule does not rewrite).
    device: the new form needs the ruleset's module. value, otherwise: what a keyword's `True` and `False`
    become, where the new one takes something else. first: what calls get as their first argument."""

    rule: str
    cls: HitClass
    to: str
    device: bool = True
    value: str = ""
    otherwise: str = ""
    first: str = ""


@dataclass(slots=True)
class Rules:
    """All tables of a ruleset; plain data, so that it goes to other processes cheaply.

    apis: dotted name -> target. others: module -> target for the names below it that no rule knows.
    methods, attributes, strings: name -> target. dropped: methods that lose their arguments.
    devices, backends: literal -> target; drop_index: rules that remove a device's index.
    keywords: (callable, keyword) -> target. variables: environment variable -> target. programs: name -> target.
    words: found anywhere; names: (what the file holds then, last parts), as whole words; direct: `torch.X`,
    direct_import: those X as they are imported, direct_ends: all of them; imported: import statements of reported
    packages. A file without any of these has no hit. shown: one of these texts is in every name that is known.
    hiding: what `hides` found out. cards: words that name the card that the rules lead to (`npu`, `hccl`), in small
    letters; none where the rules lead to what any source may have beside CUDA (the processor). notes: rule -> what it
    says at each of its places.
    """

    module: str | None
    namespace: str | None
    apis: dict[str, NewName] = field(default_factory=dict)
    others: dict[str, NewName] = field(default_factory=dict)
    methods: dict[str, NewName] = field(default_factory=dict)
    attributes: dict[str, NewName] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    devices: dict[str, NewName] = field(default_factory=dict)
    backends: dict[str, NewName] = field(default_factory=dict)
    drop_index: bool = False
    strings: dict[str, NewName] = field(default_factory=dict)
    keywords: dict[tuple[str, str], NewName] = field(default_factory=dict)
    modules: dict[str, NewName] = field(default_factory=dict)
    variables: dict[str, NewName] = field(default_factory=dict)
    variable_files: list[tuple[re.Pattern[str], dict[str, NewName]]] = field(default_factory=list)
    files: list[tuple[re.Pattern[str], NewName]] = field(default_factory=list)
    requirements: list[tuple[re.Pattern[str], re.Pattern[bytes], NewName]] = field(default_factory=list)
    programs: dict[str, NewName] = field(default_factory=dict)
    index: str = ""
    dynamic: str = ""
    words: tuple[bytes, ...] = ()
    names: tuple[tuple[tuple[bytes, ...], tuple[bytes, ...]], ...] = ()
    direct: re.Pattern[bytes] = _NOTHING
    direct_import: re.Pattern[bytes] = _NOTHING
    direct_ends: tuple[bytes, ...] = ()
    imported: tuple[re.Pattern[bytes], ...] = ()
    shown: tuple[str, ...] = ()
    info: dict[str, RuleInfo] = field(default_factory=dict)
    hiding: dict[str, bool] = field(default_factory=dict)
    cards: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)


def compile_rules(ruleset: Ruleset) -> Rules:
    rules = Rules(ruleset.module, ruleset.namespace)
    for rule in ruleset.active():
        rules.info[rule.id] = RuleInfo(rule.title, rule.why, rule.advice)
        if rule.note:
            rules.notes[rule.id] = rule.note
        _add(rules, rule)
    if rules.namespace is not None:
        new = {target.to for target in (*rules.devices.values(), *rules.backends.values())}
        rules.cards = tuple(
            sorted({rules.namespace.rpartition(".")[2], *new} - {*rules.devices, *rules.backends, "cpu", "gloo"})
        )
    _make_triggers(rules, ruleset)
    return rules


def _add(rules: Rules, rule: Rule) -> None:
    if isinstance(rule, ApiRule):
        cls = CLASS_OF[rule.action]
        rules.apis.update({name: NewName(rule.id, cls, to, rule.imports) for name, to in rule.table().items()})
        if rule.others and rule.source is not None:
            rules.others[rule.source] = NewName(rule.id, cls, rule.to or rule.source)
    elif isinstance(rule, MemberRule):
        table = rules.methods if rule.kind == "method" else rules.attributes
        table.update(_rewritten(rule.id, rule.map))
        if rule.arguments == "drop":
            rules.dropped.update(rule.map)
    elif isinstance(rule, ReportedMemberRule):
        rules.attributes.update({name: NewName(rule.id, CLASS_OF[rule.action], name) for name in rule.names})
    elif isinstance(rule, CallRule):
        for table, pairs in ((rules.apis, rule.map), (rules.methods, rule.methods)):
            for name, to in pairs.items():
                table[name] = NewName(rule.id, "rewritten", to, rule.imports, first=rule.first)
    elif isinstance(rule, LiteralRule):
        (rules.devices if rule.kind == "device" else rules.backends).update(_rewritten(rule.id, rule.map))
        rules.drop_index |= rule.index == "drop"
    elif isinstance(rule, StringRule):
        rules.strings.update(_rewritten(rule.id, rule.map))
        rules.strings.update({name: NewName(rule.id, CLASS_OF[rule.action], name) for name in rule.names})
    elif isinstance(rule, KeywordRule):
        for name, to in rule.map.items():
            target = NewName(rule.id, "rewritten", to, value=rule.value, otherwise=rule.otherwise)
            rules.keywords.update({(function, name): target for function in rule.callables})
    elif isinstance(rule, EnvironmentRule):
        variables = _rewritten(rule.id, rule.map)
        variables.update({name: NewName(rule.id, CLASS_OF[rule.action], name) for name in rule.names})
        rules.variables.update(variables)
        if rule.files:
            rules.variable_files.append((globs(rule.files), variables))
    elif isinstance(rule, ModuleRule):
        rules.modules.update({name: NewName(rule.id, CLASS_OF[rule.action], name) for name in rule.names})
    elif isinstance(rule, FileRule):
        rules.files.append((globs(rule.files), NewName(rule.id, CLASS_OF[rule.action], "")))
    elif isinstance(rule, RequirementRule):
        names = "|".join(re.escape(name) for name in rule.names)
        line = re.compile(rb"(?m)(?<![\w.-])(?:%s)[ \t]*(?:[<>=!~]=?=?)[ \t]*[\w.*]+" % names.encode())
        rules.requirements.append((globs(rule.files), line, NewName(rule.id, CLASS_OF[rule.action], "")))
    elif isinstance(rule, ProgramRule):
        rules.programs.update({name: NewName(rule.id, CLASS_OF[rule.action], name) for name in rule.names})
    elif isinstance(rule, PlaceRule):
        _set_place(rules, rule)


def _set_place(rules: Rules, rule: PlaceRule) -> None:
    kind: Literal["index", "dynamic"] = "index" if rule.kind == "index" else "dynamic"
    setattr(rules, kind, rule.id)


def _rewritten(rule: str, pairs: dict[str, str]) -> dict[str, NewName]:
    return {name: NewName(rule, "rewritten", to) for name, to in pairs.items()}


def globs(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Matches a path if a glob matches it as a whole or its last part."""
    return re.compile("|".join(f"(?:.*/)?{translate(pattern)}" for pattern in patterns))


def _make_triggers(rules: Rules, ruleset: Ruleset) -> None:
    """Where a name holds one of the ruleset's words (`torch.cuda.X`), the word finds it. Of any other, every part
    stands somewhere in a file that uses it, whatever the aliases, and the last one where it is used."""
    device = ruleset.namespace.rpartition(".")[2] if ruleset.namespace is not None else ""
    shown = (*ruleset.words, f".{device}") if device else ruleset.words
    plain = {
        *rules.methods,
        *rules.attributes,
        *rules.devices,
        *rules.backends,
        *rules.strings,
        *rules.variables,
        *rules.programs,
    }
    plain |= {keyword for _, keyword in rules.keywords} | ({device} if device else set())
    dotted = [name for name in (*rules.apis, *rules.others) if not any(word in name for word in shown)]
    direct = {name for name in dotted if name.startswith("torch.") and name.count(".") == 1}
    known = {name for name in plain if not any(word in name for word in ruleset.words)} | {*dotted} - direct
    groups: dict[tuple[bytes, ...], list[bytes]] = {}
    for name in sorted(known):
        *parents, last = name.removeprefix("torch.").encode().split(b".")
        groups.setdefault(tuple(parents), []).append(last)
    rules.words = tuple(word.encode() for word in ruleset.words)
    rules.names = tuple((_rare_first(parents, ends), tuple(ends)) for parents, ends in groups.items())
    rules.direct = _one_of(b"torch\\.", direct, "torch.")
    rules.direct_ends = tuple(name.partition(".")[2].encode() for name in sorted(direct))
    rules.direct_import = _one_of(rb"from torch import[^\n(]*?(?:\([^)]{0,5000}?)?\b", direct, "torch.")
    rules.imported = tuple(
        _one_of(head, rules.modules, "")
        for head in (rb"import[ \t]+(?:[\w.]+(?:[ \t]+as[ \t]+\w+)?[ \t]*,[ \t]*)*", rb"from[ \t]+")
    )
    ends = (*(last for _, group in rules.names for last in group), *rules.direct_ends)
    rules.shown = (*ruleset.words, *(name.decode() for name in ends))


def _rare_first(parents: tuple[bytes, ...], ends: list[bytes]) -> tuple[bytes, ...]:
    """What a file must hold for one of the names `parents.end`, the longest first; () for names without parents."""
    if not parents:
        return ()
    first, last = min(ends), max(ends)
    same = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    texts = {*parents, first[:same]} if same > 3 else set(parents)
    return tuple(sorted(texts, key=bytes.__len__, reverse=True))


def _one_of(head: bytes, names: Iterable[str], prefix: str) -> re.Pattern[bytes]:
    """`head` and then one of the names without the prefix, as a whole word; nothing, where there are none."""
    texts = [re.escape(name.removeprefix(prefix)).encode() for name in sorted(names)]
    return re.compile(head + rb"(%s)\b" % b"|".join(texts)) if texts else _NOTHING


_PLACES = {
    "index": (
        re.compile(rb"\.to\(\s*\d"),
        re.compile(rb"device(?:\s*=|\()\s*\d"),
        re.compile(rb"map_location\s*=\s*\d"),
    ),
    "dynamic": (re.compile(rb"getattr\(\s*torch\b"),),
}
"""Patterns that begin with a fixed text are searched for several times faster than alternatives in one."""

_WORD_CHARACTER = re.compile(rb"[A-Za-z0-9_\x80-\xff]")


def places(rules: Rules, data: bytes) -> list[int]:
    """Offsets of everything in a Python file that a rule may be for, in no order; empty for most files."""
    out: list[int] = []
    for word in rules.words:
        out += find_all(data, word)
    for pattern in rules.imported:
        out += [match.end() - 1 for match in pattern.finditer(data)]
    has_torch = b"torch" in data
    for parts, ends in rules.names:
        if (has_torch or not parts) and all(part in data for part in parts):
            for name in ends:
                if name in data:
                    out += _whole_words(data, name)
    if not has_torch:
        return out
    for kind, patterns in _PLACES.items():
        for pattern in patterns if getattr(rules, kind) else ():
            out += [match.start() for match in pattern.finditer(data)]
    found = {match[0].rpartition(b".")[2] for match in rules.direct.finditer(data)}
    found |= {match[1] for match in rules.direct_import.finditer(data)}
    if b"import torch as" in data:
        found.update(rules.direct_ends)
    for last in found:
        out += _whole_words(data, last)
    return out


def _whole_words(data: bytes, name: bytes) -> list[int]:
    return [
        at
        for at in find_all(data, name)
        if not (_WORD_CHARACTER.match(data, at + len(name)) or (at and _WORD_CHARACTER.match(data, at - 1)))
    ]


def hides(rules: Rules, module: str) -> bool:
    """Whether an alias of `module` can stand for a known name in a text without any of the words and names.

    `amp.autocast` after `from torch.cuda import amp` is such a text; `nn.Module.cuda` is none.
    """
    known = rules.hiding.get(module)
    if known is None:
        below = module + "."
        names = (*rules.apis, *(f"{name}." for name in rules.others), f"{rules.namespace}.")
        known = any(
            name.startswith(below) and not any(text in name[len(below) :] for text in rules.shown) for name in names
        )
        rules.hiding[module] = known
    return known
