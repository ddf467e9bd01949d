"""Steps together: order, files of the recipe's folder, links, folders, and the digest for keys."""

import dataclasses
import itertools

import pytest
from patching import contents, patch, steps, tree_of

from portside.common.tree import Entry, Tree, file_entry
from portside.errors import InputError, MigrationError, RecipeError
from portside.patches.apply import apply, digest

Files = dict[str, bytes | str]


def test_steps_see_the_result_of_the_steps_before() -> None:
    done = patch(
        {"a.txt": "one\n"},
        """
        - {replace: one, with: two two, files: a.txt, count: 1}
        - {replace: two, with: three, files: a.txt, count: 2}
        - {copy: b.txt, to: n/b.txt}
        - {set-line: four, to: five, at: 2, files: n/*.txt, count: 1}
        - {delete: a.txt, count: 1}
        """,
        {"b.txt": "x\nfour\n"},
    )
    assert contents(done.tree) == {"n/b.txt": b"x\nfive\n"}
    assert [(c.step, c.path, c.line, c.before, c.after) for c in done.changes] == [
        (1, "a.txt", 1, "one", "two two"),
        (2, "a.txt", 1, "two two", "three two"),
        (2, "a.txt", 1, "two two", "two three"),
        (3, "n/b.txt", 0, "", ""),
        (4, "n/b.txt", 2, "four", "five"),
        (5, "a.txt", 0, "", ""),
    ]


def test_errors_say_where_the_step_stands_in_the_recipe() -> None:
    wanted = steps("[{replace: one, with: two, files: '*', count: 1}, {delete: b.txt, count: 1}]")
    with pytest.raises(MigrationError, match=r"^recipes/glm\.yaml:9: patch step 2 "):
        apply(tree_of({"a.txt": "one\n"}), wanted, Tree(), ["recipes/base.yaml:4", "recipes/glm.yaml:9"])


def test_a_failing_step_leaves_the_given_tree_as_it_was() -> None:
    tree = tree_of({"a.txt": "one\n", "b.txt": "one\n"})
    before = tree.digest()
    with pytest.raises(MigrationError, match="patch step 3"):
        apply(
            tree,
            steps(
                "[{replace: one, with: two, files: '*', count: 2}, {delete: b.txt, count: 1}, {delete: b*, count: 1}]"
            ),
            Tree(),
        )
    assert tree.digest() == before


def test_modes_and_times_of_a_changed_file_stay() -> None:
    tree = Tree([file_entry("run.sh", b"one\n", mode=0o750, mtime=1234)])
    entry = apply(tree, steps("[{replace: one, with: two, files: run.sh, count: 1}]"), Tree()).tree["run.sh"]
    assert (entry.mode, entry.mtime, entry.size) == (0o750, 1234, 4)
    assert entry == dataclasses.replace(file_entry("run.sh", b"two\n", 0o750), mtime=1234)


def test_the_order_of_files_is_that_of_their_paths_whatever_order_the_tree_was_made_in() -> None:
    names = ["b.txt", "a/z.txt", "a.txt", "é.txt"]
    results = set()
    for order in itertools.permutations(names):
        done = patch(dict.fromkeys(order, "x\n"), "[{replace: x, with: y, files: '**', count: 4}]")
        results.add((done.tree.digest(), tuple(change.path for change in done.changes)))
    ((_, paths),) = results
    assert paths == ("a.txt", "a/z.txt", "b.txt", "é.txt")


# --- links


def test_symbolic_links_are_never_followed() -> None:
    tree = tree_of({"real.txt": "x\n"})
    tree.put(Entry("link.txt", "symlink", 0o777, link="real.txt"))
    tree.put(Entry("folder", "symlink", 0o777, link="/etc"))
    done = apply(tree, steps("[{replace: x, with: y, files: '*.txt', count: 1}]"), Tree())
    assert [change.path for change in done.changes] == ["real.txt"]
    assert done.tree["link.txt"] == tree["link.txt"]
    with pytest.raises(MigrationError, match=r"no file matches 'link.txt': it is a link, which is never followed"):
        apply(tree, steps("[{replace: x, with: y, files: link.txt, count: 1}]"), Tree())
    with pytest.raises(MigrationError, match="folder is a symbolic link, not a folder"):
        apply(tree, steps("[{copy: a, to: folder/passwd}]"), tree_of({"a": "x"}))
    with pytest.raises(MigrationError, match=r"link.txt is a symbolic link"):
        apply(tree, steps("[{copy: a, to: link.txt, overwrite: true}]"), tree_of({"a": "x"}))
    gone = apply(tree, steps("[{delete: link.txt, count: 1}]"), Tree()).tree
    assert "link.txt" not in gone and "real.txt" in gone


def linked() -> Tree:
    tree = Tree([file_entry("a.txt", b"x\n", 0o600, 5)])
    tree.put(Entry("b.txt", "hardlink", 0o600, link="a.txt"))
    tree.put(Entry("c.txt", "hardlink", 0o600, link="b.txt"))
    return tree


@pytest.mark.parametrize(("path", "others"), [("a.txt", ["b.txt", "c.txt"]), ("c.txt", ["a.txt", "b.txt"])])
def test_a_change_through_one_hard_link_does_not_reach_the_others(path: str, others: list[str]) -> None:
    tree = apply(linked(), steps(f"[{{replace: x, with: y, files: {path}, count: 1}}]"), Tree()).tree
    flat = apply(tree, steps("[{replace: x, with: x!, files: '*.txt', count: 2}]"), Tree())
    assert tree[path].read() == b"y\n" and tree[path].mode == 0o600 and tree[path].mtime == 5
    assert [change.path for change in flat.changes] == others


def test_hard_links_that_no_step_touches_stay_links_and_outlive_their_file() -> None:
    tree = linked()
    tree.put(file_entry("d.txt", b"x\n"))
    assert apply(tree, steps("[{delete: d.txt, count: 1}]"), Tree()).tree["b.txt"].kind == "hardlink"
    left = apply(tree, steps("[{delete: a.txt, count: 1}]"), Tree()).tree
    assert left["b.txt"].read() == b"x\n"


@pytest.mark.parametrize("link", ["gone.txt", "a.txt", "folder"])
def test_a_hard_link_to_no_file_is_an_error_of_the_input(link: str) -> None:
    tree = Tree([Entry("a.txt", "hardlink", 0o644, link=link), Entry("folder", "dir", 0o755)])
    with pytest.raises(InputError, match=r"a.txt is a hard link to .*, which is no file"):
        apply(tree, steps("[{replace: x, with: y, files: a.txt, count: 1}]"), Tree())


# --- copy


def test_copy_gives_new_files_the_modes_that_git_knows() -> None:
    recipe = Tree([file_entry("run", b"x", 0o700), file_entry("data", b"x", 0o664)])
    tree = apply(
        Tree(),
        steps("[{copy: run, to: a/run}, {copy: data, to: a/data}, {copy: data, to: a/own, mode: '0600'}]"),
        recipe,
    ).tree
    assert [(entry.path, entry.mode) for entry in tree] == [("a/data", 0o644), ("a/own", 0o600), ("a/run", 0o755)]


@pytest.mark.parametrize(
    ("files", "step", "message"),
    [
        ({"a": "old"}, "{copy: new, to: a}", "a is already there"),
        ({}, "{copy: new, to: a, overwrite: true}", "there is no a to overwrite"),
        ({"a/b": "x"}, "{copy: new, to: a}", "a cannot be written: a is a folder"),
        ({"a": "x"}, "{copy: new, to: a/b}", "a/b cannot be written: a is a file, not a folder"),
        ({}, "{copy: bad.py, to: a.py}", "the result does not compile\n    a.py:1: x ="),
    ],
)
def test_copy_refuses_what_was_not_meant(files: Files, step: str, message: str) -> None:
    with pytest.raises(MigrationError) as caught:
        patch(files, f"[{step}]", {"new": "x", "bad.py": "x ="})
    assert message in str(caught.value)


def test_copy_overwrites_where_told() -> None:
    done = patch({"a": "old"}, "[{copy: new, to: a, overwrite: true}]", {"new": "12"})
    assert contents(done.tree) == {"a": b"12"}
    assert done.changes[0].note == "overwritten by new of the recipe's folder (2 bytes, mode 0644)"


def test_a_missing_file_of_the_recipe_is_named() -> None:
    for step in ("{copy: gone, to: a}", "{diff: gone, count: 1}"):
        with pytest.raises(RecipeError, match="gone is missing in the recipe's folder"):
            patch({}, f"[{step}]")
        with pytest.raises(RecipeError, match="gone is missing in the recipe's folder"):
            digest(steps(f"[{step}]"), Tree())


# --- delete


def test_delete_takes_files_and_the_folders_that_become_empty() -> None:
    tree = tree_of({"a/b/c/x": "1", "a/b/y": "2", "a/z": "3"})
    for folder in ("a", "a/b", "a/b/c", "a/empty"):
        tree.put(Entry(folder, "dir", 0o755))
    done = apply(tree, steps("[{delete: a/b/**, count: 2}]"), Tree())
    assert [entry.path for entry in done.tree] == ["a", "a/empty", "a/z"]
    assert [(change.path, change.note) for change in done.changes] == [
        ("a/b/c/x", "deleted (1 bytes)"),
        ("a/b/y", "deleted (1 bytes)"),
    ]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{delete: a/*, count: 1}", "must change 1 place, but 2 are there, in the files that match"),
        ("{delete: a, count: 2}", "no file matches 'a': it is a folder; a/** names everything in it"),
        ("{delete: [a/x, a/yy], count: 1}", "no file matches 'a/yy'\n  close to it:\n    a/y\n"),
    ],
)
def test_delete_refuses_what_was_not_meant(step: str, message: str) -> None:
    with pytest.raises(MigrationError) as caught:
        patch({"a/x": "", "a/y": ""}, f"[{step}]")
    assert message in str(caught.value)


# --- digest

TEXT = "[{name: n, copy: f, to: a}, {replace: x, with: y, files: a, count: 1}]"


def test_the_digest_says_whether_steps_and_files_are_the_same() -> None:
    base = digest(steps(TEXT), tree_of({"f": "1"}))
    assert base == digest(steps(TEXT.replace("files: a", "files: [a]")), tree_of({"f": "1", "unused": "2"}))
    assert base == digest(steps(TEXT), Tree([dataclasses.replace(file_entry("f", b"1", 0o600), sha256="")]))
    others = [
        digest(steps(TEXT), tree_of({"f": "2"})),
        digest(steps(TEXT), Tree([file_entry("f", b"1", 0o755)])),
        digest(steps(TEXT.replace("name: n", "name: m")), tree_of({"f": "1"})),
        digest(steps(TEXT.replace("with: y", "with: z")), tree_of({"f": "1"})),
        digest(steps(TEXT.replace("count: 1", "count: 2")), tree_of({"f": "1"})),
        digest(steps(TEXT)[::-1], tree_of({"f": "1"})),
        digest((), Tree()),
    ]
    assert len({base, *others}) == len(others) + 1
