"""Prints how long PyTorch and torchinfo take to be imported and to summarise a net that is built already."""

import sys
import time

begin = time.perf_counter()
import torch  # noqa: E402
import torchinfo  # noqa: E402

imports = time.perf_counter() - begin

from netcompiler import load  # noqa: E402
from netcompiler.report.peer import net_data  # noqa: E402
from runtime.bench.peer.torch_net import Net  # noqa: E402

graph = load(sys.argv[1]).graph
assert graph
net = Net(net_data(graph, "infer")).eval()
begin = time.perf_counter()
torchinfo.summary(net, input_data=torch.zeros(1, *graph.inputs[0].shape), verbose=0)
print(imports + time.perf_counter() - begin)
