import torch
name = "x"
print(f"{torch.cuda.device_count()} cards, {torch.cuda.memory_allocated() / 2**30:.1f} GiB, {{cuda}}")
print(f"""
first {name!r:>{len(name)}}
{torch.cuda.get_device_name(0)} {f'{torch.cuda.current_device()}'}
""")
print("cards: " f"{torch.cuda.device_count()}" " and cuda")
