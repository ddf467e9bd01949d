#!/usr/bin/env python
# A licence
"""Docstring."""
from __future__ import annotations
from __future__ import division

# first
import os
from transformers import AutoModel

model = AutoModel.from_pretrained("x").half().cuda()
