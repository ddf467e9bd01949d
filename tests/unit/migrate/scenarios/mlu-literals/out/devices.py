import torch
import torch_mlu
from torch import device as make

DEVICE = "mlu"
device = torch.device("mlu:0" if torch.mlu.is_available() else "cpu")
first_device = make('cuda')
x = torch.zeros(1, device="mlu").to("mlu").to(device='mlu:1')
torch.load("model.bin", map_location="mlu")
torch.load("model.bin", map_location={"cuda:1": "mlu:0"})
torch.autocast("mlu")
torch.autocast(device_type=r"mlu")
generator = torch.Generator("mlu").manual_seed(0)
pipe = pipeline(task, device="mlu" if fast else "cpu")
if device.type == "mlu" or x.device == "mlu" or str(device).startswith("mlu"):
    pass
if device in ("cpu", "mlu"):
    pass
for i in range(2):
    x.to(f"mlu:{i}").to("mlu:" + str(i)).to("mlu:%d" % i).to("mlu:{}".format(i))
self.last_device = "cpu" if "cpu" in names else "mlu:" + str(max(names))
config = {"device": "mlu", "name": "cuda"}
config["device"] = "mlu"
model = load(path, device_map={"": "mlu:0"})


def run(path, device: str = "mlu", *, torch_device="mlu", backend="cuda"):
    return device or "mlu"


parser.add_argument("--device", default="mlu", choices=["mlu", "cpu"], help="cuda or cpu")
parser.add_argument("--cuda", action="store_true")
parser.add_argument("--no_cuda", default="cuda")


@pytest.mark.parametrize("device", ["cpu", "mlu"])
def test(device: Literal["cpu", "mlu"]):
    match device:
        case "mlu":
            pass
