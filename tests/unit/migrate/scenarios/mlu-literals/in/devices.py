import torch
from torch import device as make

DEVICE = "cuda"
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
first_device = make('cuda')
x = torch.zeros(1, device="cuda").to("cuda").to(device='cuda:1')
torch.load("model.bin", map_location="cuda")
torch.load("model.bin", map_location={"cuda:1": "cuda:0"})
torch.autocast("cuda")
torch.autocast(device_type=r"cuda")
generator = torch.Generator("cuda").manual_seed(0)
pipe = pipeline(task, device="cuda" if fast else "cpu")
if device.type == "cuda" or x.device == "cuda" or str(device).startswith("cuda"):
    pass
if device in ("cpu", "cuda"):
    pass
for i in range(2):
    x.to(f"cuda:{i}").to("cuda:" + str(i)).to("cuda:%d" % i).to("cuda:{}".format(i))
self.last_device = "cpu" if "cpu" in names else "cuda:" + str(max(names))
config = {"device": "cuda", "name": "cuda"}
config["device"] = "cuda"
model = load(path, device_map={"": "cuda:0"})


def run(path, device: str = "cuda", *, torch_device="cuda", backend="cuda"):
    return device or "cuda"


parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cuda or cpu")
parser.add_argument("--cuda", action="store_true")
parser.add_argument("--no_cuda", default="cuda")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test(device: Literal["cpu", "cuda"]):
    match device:
        case "cuda":
            pass
