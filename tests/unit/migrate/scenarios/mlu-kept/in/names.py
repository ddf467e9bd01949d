"""Uses cuda and nccl.

torch.cuda.is_available() in a docstring
"""

import torch  # not torch.cuda

# torch.cuda.empty_cache(); model.to("cuda")
no_cuda = True
is_torch_cuda_available = lambda: False
use_cuda_amp = is_torch_cuda_available()
CUDA_DEVICE = no_cuda


def load_cuda_kernels(use_cuda=False, **kwargs):
    '''Loads cuda kernels.'''
    sources = ["cuda/ms_deform_attn_cuda.cu", "ms_deform_attn_cuda.cu", os.path.join(root, "cuda")]
    url = "https://example.org/cuda/install.html"
    logger.warning("cuda")
    raise ValueError(f"no cuda: {no_cuda}")


rng_states["cuda"] = checkpoint["cuda"]
state = {"cuda": 1}
state.get("cuda")
parser.add_argument("--no_cuda", "--cuda_device", help="The cuda device")
extra = b"cuda"
