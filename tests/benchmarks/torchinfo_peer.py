"""Prints how long PyTorch and torchinfo take to be imported and to summarise a net that is built already."""

import sys
import time

begin = time.perf_counter()
import torch  # noqa: E402
import torchinfo  # noqa: E402

imports = time.perf_counter() - begin

from torch_net import build  # noqa: E402

net = build(sys.argv[1])
begin = time.perf_counter()
shape = net.graph.inputs[0].shape
torchinfo.summary(net, input_data=torch.zeros(1, *shape), verbose=0)
print(imports + time.perf_counter() - begin)
