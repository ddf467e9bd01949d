from setuptools import setup
setup(install_requires=["torch>=1.10", "numpy"])
