"""`invoke new`: from somebody's repository to the first recipe, without a line of it being executed.

In: a git URL or a folder.
Out: a recipe whose every line says where it comes from, with what is guessed marked as such.
"""
