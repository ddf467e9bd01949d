"""What a repository is about, in one line."""

import re

from portside.draft.checkout import Checkout
from portside.draft.clue import Clue
from portside.draft.interpreter import line_of, toml_of


def description(checkout: Checkout) -> Clue[str]:
    """One line for people: what the project says of itself, else the README's first sentence that says what it is."""
    data = toml_of(checkout)
    project = data.get("project")
    text = project.get("description") if isinstance(project, dict) else None
    place = line_of(checkout, "pyproject.toml", "description") if text else ""
    if not isinstance(text, str) or not text.strip():
        text, place = _of_readme(checkout)
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]", " ", text)
    text = " ".join(text.split())[:150].strip()
    return Clue(text or f"{checkout.name}, drafted", place, sure=bool(place))


_MARKUP = re.compile(r"(#|=|-|\||```|>|\[\[|\*\s|<!|:|\d+\.|\$)")
"""What begins a line that is no prose."""
_SAYS = re.compile(
    r"(an? |the (?!following)|this (?!page|section|will|may)|official|[\w.+-]+ (is|are|provides|contains)\b)", re.I
)
"""How a sentence begins that says what something is."""
_ASIDE = re.compile(r"(there|it|what|which|you|if)\b|\d{4}", re.I)


def _of_readme(checkout: Checkout) -> tuple[str, str]:
    for path in [*checkout.named("readme.md"), *checkout.named("readme*")][:1]:
        found: list[tuple[str, str]] = []
        title = "", ""
        fenced = hidden = False
        for number, line in list(checkout.lines(path))[:120]:
            text = re.sub(r"<[^>]*>|!\[[^]]*\]\([^)]*\)", "", line)
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("**", "").strip(" *_`")
            was_hidden, hidden = hidden, ("<!--" in line or hidden) and "-->" not in line
            fenced ^= line.strip().startswith(("```", "~~~"))
            if was_hidden or hidden or fenced:
                continue
            if not title[0] and (heading := re.match(r"#\s+(.*\w.*)", text.strip())):
                title = heading[1], f"{path}:{number}"
            if _MARKUP.match(line.strip()) or len(text) < 25 or re.search(r"[•🤗📃]|https?:", text):
                continue
            if re.search(r"\w{3}.*\s\w{2}|[\u4e00-\u9fff]{8}", text):
                found.append((re.split(r"(?<=[.!?。])\s", text)[0], f"{path}:{number}"))
        best = [row for row in found if _SAYS.match(row[0]) and not _ASIDE.match(row[0])]
        if best or title[0]:
            return best[0] if best else title
    return "", ""
