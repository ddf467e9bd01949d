def f(x): return x.cuda()
import torch