"""Doc."""; from __future__ import annotations
x.cuda()
