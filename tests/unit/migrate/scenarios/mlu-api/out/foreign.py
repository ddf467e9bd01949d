import numba.cuda
import tvm
from numba import cuda

kernel = numba.cuda.jit(lambda: None)
context = tvm.cuda(0)
cuda.select_device(0)
