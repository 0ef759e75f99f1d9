"""`--layer_decay`: each layer of a network that was trained before learns more slowly than the one above it."""

from collections import defaultdict

from torch import nn
from torch.optim import Optimizer

from ..networks.network_parts import weight_heights


def slow_lower_layers(optimizer: Optimizer, model: nn.Module, decay: float) -> None:
    """Divide an optimizer's groups by the height of their layers, each with a learning rate of its own.

    Args:
        optimizer: of the model's weights.
        model: any audio classifier, see `weight_heights`.
        decay: of the learning rate, from a layer to the one below.
    """
    by_name, top = weight_heights(model)
    heights = {id(weight): by_name[name] for name, weight in model.named_parameters()}
    groups: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
    for number, group in enumerate(optimizer.param_groups):
        for weight in group["params"]:
            groups[top - heights[id(weight)], number].append(weight)
    # The head's first: the rate of the first group is the one that is logged.
    optimizer.param_groups = [
        {
            **optimizer.param_groups[number],
            "params": groups[below, number],
            "lr": optimizer.param_groups[number]["lr"] * decay**below,
        }
        for below, number in sorted(groups)
    ]
