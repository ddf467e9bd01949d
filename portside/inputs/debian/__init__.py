"""Debian packages: where this machine gets them, which ones a recipe needs, and a base layer made from them."""
