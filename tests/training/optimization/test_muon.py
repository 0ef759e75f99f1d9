import copy

import torch
from helpers.checkpoints import tiny_config
from helpers.trainers import trainer
from torch import nn

from hf_audio import AudioCNNForAudioClassification
from hf_audio.training.optimization.muon import Muon, find_kernels, orthogonalise

ADAMW = {"lr": 0.01, "betas": (0.8, 0.9), "weight_decay": 0.1}


def layers():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(20, 30))
    return net.to(memory_format=torch.channels_last)


def optimizer(net):
    kernels = [net[1].weight, net[4].weight]
    others = [weight for weight in net.parameters() if not any(weight is kernel for kernel in kernels)]
    return Muon([{"params": others}, {"params": kernels, "orthogonal": True}], **ADAMW)


def step(net, optimizers, number):
    inputs = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(number))
    net.zero_grad()
    net(inputs).square().mean().backward()
    for each in optimizers:
        each.step()


def test_kernels_move_as_torchs_muon_moves_matrices_and_the_rest_as_adamw():
    ours, theirs = layers(), layers()
    matrices = [nn.Parameter(theirs[at].weight.detach().flatten(1)) for at in (1, 4)]
    reference = torch.optim.Muon(matrices, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    rest = [weight for name, weight in theirs.named_parameters() if name not in ("1.weight", "4.weight")]
    optimizers = [torch.optim.AdamW(rest, **ADAMW)]
    our_optimizer = optimizer(ours)
    for number in range(3):
        step(ours, [our_optimizer], number)
        step(theirs, optimizers, number)
        for at, matrix in zip((1, 4), matrices, strict=True):
            matrix.grad = theirs[at].weight.grad.flatten(1)
        reference.step()
        with torch.no_grad():
            for at, matrix in zip((1, 4), matrices, strict=True):
                theirs[at].weight.copy_(matrix.view(theirs[at].weight.shape))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_singular_values_come_near_to_one():
    singular = torch.linalg.svdvals(orthogonalise(torch.randn(30, 12), torch.float32))
    assert singular.min() > 0.6 and singular.max() < 1.3


def test_a_loaded_state_goes_on_with_the_same_bits():
    whole = layers()
    first = optimizer(whole)
    step(whole, [first], 0)
    resumed = copy.deepcopy(whole)
    second = optimizer(resumed)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    step(whole, [first], 1)
    step(resumed, [second], 1)
    assert all(map(torch.equal, whole.parameters(), resumed.parameters()))


def test_a_trainer_resumes_with_the_same_bits(tmp_path):
    flags = {"optim": "muon", "learning_rate": 0.01, "lr_scheduler_type": "cosine", "save_strategy": "epoch"}
    flags |= {"per_device_train_batch_size": 8, "save_total_limit": 2}
    whole = trainer(tmp_path / "run", **flags)
    whole.train()
    resumed = trainer(tmp_path / "run", **flags)
    resumed.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-3"))
    assert resumed.state.global_step == 6
    assert all(map(torch.equal, whole.model.parameters(), resumed.model.parameters()))


def test_first_and_last_layer_are_adamws():
    model = AudioCNNForAudioClassification(tiny_config())
    kernels = [name for name, weight in model.named_parameters() if weight in find_kernels(model)]
    convolutions = [name for name, weight in model.named_parameters() if weight.dim() == 4]
    assert kernels == convolutions[1:]
