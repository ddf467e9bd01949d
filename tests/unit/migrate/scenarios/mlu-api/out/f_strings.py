import torch
import torch_mlu
name = "x"
print(f"{torch.mlu.device_count()} cards, {torch.mlu.memory_allocated() / 2**30:.1f} GiB, {{cuda}}")
print(f"""
first {name!r:>{len(name)}}
{torch.mlu.get_device_name(0)} {f'{torch.mlu.current_device()}'}
""")
print("cards: " f"{torch.mlu.device_count()}" " and cuda")
