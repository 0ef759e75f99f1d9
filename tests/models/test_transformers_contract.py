"""What users of transformers expect of any model: outputs, heads, dtypes, labels, Auto classes."""

import builtins
import copy

import pytest
import torch
from helpers.checkpoints import save_checkpoint, tiny_config, trained_looking_model
from helpers.recordings import RATE, tone
from huggingface_hub.errors import StrictDataclassError
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForAudioClassification,
    AutoProcessor,
    Trainer,
    TrainingArguments,
)

from hf_audio import (
    AudioCNNConfig,
    AudioCNNFeatureExtractor,
    AudioCNNForAudioClassification,
    AudioCNNModel,
    AudioEnsembleConfig,
    AudioEnsembleForAudioClassification,
)
from hf_audio.models.backbones import BACKBONES
from hf_audio.models.configuration_audio_cnn import NONE_OF_THESE
from hf_audio.models.modeling_audio_cnn import classification_loss

KINDS = {name: {"backbone": name} for name in BACKBONES} | {
    "bands": {"knows_bands": True, "hidden_sizes": [8, 12, 12]},
    "strided bands": {"knows_bands": True, "stem_stride": 2, "early_pooling": True},
    "long_term_spectrum": {"long_term_spectrum": True},
    "attention": {"pooling": "attention", "num_digits": 2, "context_dilations": [1, 2]},
    "words": {"number_grammar": "ru", "num_digits": 6},
    "mfcc": {"frontend": "mfcc", "pooling": "mean_std"},
}
# What each layer gives: the stem, if there is one, each block, and each convolution over time.
N_LAYERS = {"resnet": 2, "conv1d": 2, "shufflenet": 18, "alexnet": 5, "cnn3": 3, "bands": 3, "attention": 4}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def sounds(n: int = 3) -> torch.Tensor:
    """(n, samples), the same at every call."""
    return torch.randn(n, RATE, generator=torch.Generator().manual_seed(0)) * 0.1


def ensemble_config(**changes) -> AudioEnsembleConfig:
    """Of a network with a long-term spectrum, and of one at another rate."""
    members = [tiny_config(long_term_spectrum=True), tiny_config(sampling_rate=4000, backbone="conv1d")]
    defaults = {"weights": [0.5, 0.5], "sampling_rate": RATE, "clip_seconds": 1.0, "id2label": members[0].id2label}
    return AudioEnsembleConfig(members=[member.to_dict() for member in members], **{**defaults, **changes})


# --- outputs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", N_LAYERS)
@pytest.mark.parametrize("model_class", [AudioCNNModel, AudioCNNForAudioClassification])
def test_hidden_states_are_what_each_layer_gives(kind, model_class):
    model = model_class(tiny_config(**KINDS[kind])).train()
    output = model(sounds(), output_hidden_states=True)
    assert len(output.hidden_states) == N_LAYERS[kind]
    first, last = output.hidden_states[0], output.hidden_states[-1]
    first.retain_grad()
    output[0].sum().backward()
    assert first.grad.abs().sum() > 0
    assert last.shape[:2] == (3, model.config.hidden_size)
    assert model(sounds()).hidden_states is None
    model.config.output_hidden_states = True
    assert len(model(sounds()).hidden_states) == N_LAYERS[kind]
    assert model(sounds(), output_hidden_states=False).hidden_states is None


def test_the_last_hidden_state_holds_what_is_pooled():
    model = trained_looking_model(tiny_config(pooling="mean"))
    with torch.no_grad():
        hidden = model(sounds(), output_hidden_states=True).hidden_states[-1]  # (batch, channels, bands, frames)
        torch.testing.assert_close(model.classifier(hidden.mean((2, 3))), model(sounds()).logits)


def test_an_ensembles_hidden_states_are_its_members():
    ensemble = AudioEnsembleForAudioClassification(ensemble_config()).eval()
    with torch.no_grad():
        states = ensemble(sounds(), output_hidden_states=True).hidden_states
        own = ensemble.members[0](sounds(), output_hidden_states=True).hidden_states
    assert len(states) == N_LAYERS["resnet"] + N_LAYERS["conv1d"]
    for one, other in zip(states, own, strict=False):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("model_class", [AudioCNNModel, AudioCNNForAudioClassification])
def test_a_tuple_holds_what_the_output_has_names_for(model_class):
    model = model_class(tiny_config()).eval()
    more = {"labels": torch.tensor([0, 1, 2])} if model_class is AudioCNNForAudioClassification else {}
    with torch.no_grad():
        named = model(sounds(), output_hidden_states=True, **more)
        as_tuple = model(sounds(), output_hidden_states=True, return_dict=False, **more)
        model.config.return_dict = False
        by_config = model(sounds(), output_hidden_states=True, **more)
        assert model(sounds(), return_dict=True, **more)[0].equal(named[0])
    for told in (as_tuple, by_config):
        # Logits with the loss, hidden states, embeddings; without a head, embeddings of the frames first.
        assert isinstance(told, tuple) and len(told) == (3 if model_class is AudioCNNModel else 4)
        torch.testing.assert_close(told, named.to_tuple())


# --- the model without a head ----------------------------------------------------------------------------------------


@each_kind
def test_auto_model_loads_a_classifier_without_its_head_and_a_classifier_takes_it_back(kind, tmp_path):
    classifier = trained_looking_model(tiny_config(**kind, temperature=2.0))
    classifier.save_pretrained(tmp_path / "classifier")
    base, loading = AutoModel.from_pretrained(tmp_path / "classifier", output_loading_info=True)
    assert type(base) is AudioCNNModel and not loading["missing_keys"] and not loading["unexpected_keys"]
    own = classifier.state_dict()
    assert all(value.equal(own[name]) for name, value in base.state_dict().items())
    assert all(name.startswith(("classifier.", "long_term_spectrum.")) for name in own.keys() - base.state_dict())
    with torch.no_grad():
        embedding = base(sounds()).pooler_output
        if not kind.get("long_term_spectrum") and not kind.get("number_grammar"):  # whose head judges every frame
            head = classifier.classifier
            logits = head(embedding[..., None])[..., 0] if isinstance(head, torch.nn.Conv1d) else head(embedding)
            torch.testing.assert_close(logits / 2, classifier(sounds()).logits)

    base.save_pretrained(tmp_path / "base")
    again, loading = AutoModelForAudioClassification.from_pretrained(tmp_path / "base", output_loading_info=True)
    assert type(again) is AudioCNNForAudioClassification and not loading["unexpected_keys"]
    assert all(name.startswith(("classifier.", "long_term_spectrum.")) for name in loading["missing_keys"])
    assert all(value.equal(again.state_dict()[name]) for name, value in base.state_dict().items())


def test_embeddings_of_frames_end_with_their_clip():
    model = AudioCNNModel(tiny_config(pooling="mean")).eval()
    batch = AudioCNNFeatureExtractor(sampling_rate=RATE)(
        [tone(500, 0.5), tone(700, 1.0)], sampling_rate=RATE, return_tensors="pt"
    )
    with torch.no_grad():
        output = model(**batch)
        alone = model(batch["input_values"][:1, : RATE // 2])
    frames = alone.last_hidden_state.shape[1]
    assert output.last_hidden_state.shape[2] == model.config.hidden_size
    torch.testing.assert_close(output.last_hidden_state[:1, :frames], alone.last_hidden_state, atol=1e-5, rtol=1e-4)
    assert not output.last_hidden_state[0, frames:].any() and output.last_hidden_state[1, frames:].any()
    torch.testing.assert_close(alone.pooler_output, alone.last_hidden_state.mean(1))


@pytest.mark.parametrize("folder", ["checkpoint", "ensemble"])
def test_no_auto_class_asks_whether_to_run_code_that_is_imported(folder, checkpoint, tmp_path, monkeypatch):
    if folder == "ensemble":
        checkpoint = tmp_path
        AudioEnsembleForAudioClassification(ensemble_config()).save_pretrained(tmp_path)
        AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(tmp_path)
    asked = []
    monkeypatch.setattr(builtins, "input", lambda *question: asked.append(question) or "n")
    assert isinstance(AutoProcessor.from_pretrained(checkpoint), AudioCNNFeatureExtractor)
    for auto in (AutoConfig, AutoFeatureExtractor, AutoModelForAudioClassification):
        auto.from_pretrained(checkpoint)
    assert not asked


# --- weights ---------------------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("model_class", [AudioCNNModel, AudioCNNForAudioClassification])
def test_every_missing_weight_is_initialised(kind, model_class):
    with torch.device("meta"):
        model = model_class(tiny_config(**kind))
    model.to_empty(device="cpu")
    for value in [*model.parameters(), *model.buffers()]:  # as unlucky as memory that nobody has written can be
        value.data.fill_(float("nan") if value.is_floating_point() else 77)
    model.init_weights()
    reference = model_class(tiny_config(**kind))
    for (name, value), (_, like) in zip(model.named_parameters(), reference.named_parameters(), strict=True):
        assert value.isfinite().all() and value.any() == like.any(), name
    for (name, value), (_, like) in zip(model.named_buffers(), reference.named_buffers(), strict=True):
        assert value.equal(like), name


@pytest.mark.parametrize("reentrant", [False, True])
@each_kind
def test_gradient_checkpointing_of_either_kind_trains_every_weight(kind, reentrant):
    n_digits = kind.get("num_digits", 0)
    labels = torch.arange(3 * n_digits).view(3, n_digits) % 10 if n_digits else torch.tensor([0, 1, 2])
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = AudioCNNForAudioClassification(tiny_config(**kind)).train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        torch.manual_seed(1)
        model(sounds(), labels=labels).loss.backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    torch.testing.assert_close(gradients[1], gradients[0])


def float32_names(model: torch.nn.Module) -> set[str]:
    """Of the modules whose numbers are in float32."""
    state = {**model.state_dict(), **dict(model.named_buffers())}
    assert {value.dtype for value in state.values()} <= {torch.float32, torch.bfloat16, torch.float16, torch.int64}
    return {name for name, value in state.items() if value.dtype == torch.float32}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_built_in_half_precision_the_statistics_of_decibels_are_in_float32(dtype):
    config = tiny_config(long_term_spectrum=True)
    built = AutoModelForAudioClassification.from_config(copy.deepcopy(config), dtype=dtype).eval()
    cast = AudioCNNForAudioClassification(config).to(dtype).eval()
    exact = {"feature_norm.", "long_term_spectrum.norm.", "long_term_spectrum.classifier.", "frontend.mel."}
    for model in (built, cast):
        names = float32_names(model)
        assert {next(start for start in exact if name.startswith(start)) for name in names} == exact
        assert model.dtype == dtype
    with torch.no_grad():
        assert built(sounds()).logits.isfinite().all()


@pytest.mark.parametrize("cast", ["half", "bfloat16", "from_pretrained"])
def test_cast_to_half_precision_the_statistics_of_decibels_keep_their_digits(cast, tmp_path):
    ensemble = AudioEnsembleForAudioClassification(ensemble_config())
    ensemble.members[0].load_state_dict(trained_looking_model(tiny_config(long_term_spectrum=True)).state_dict())
    before = {
        name: value.clone()
        for name, value in {**ensemble.state_dict(), **dict(ensemble.named_buffers())}.items()
        if any(part in name for part in ("feature_norm", "long_term_spectrum", "frontend", "resamplers"))
    }
    assert len(before) > 10
    if cast == "from_pretrained":
        ensemble.save_pretrained(tmp_path)
        ensemble = AudioEnsembleForAudioClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    else:
        getattr(ensemble, cast)()
    after = {**ensemble.state_dict(), **dict(ensemble.named_buffers())}
    for name, value in before.items():
        exact = value.is_floating_point()  # `from_pretrained` makes floats of the counts of batches
        torch.testing.assert_close(after[name], value, atol=0, rtol=0, check_dtype=exact)
    assert after["members.0.backbone.stem.weight"].dtype in (torch.float16, torch.bfloat16)


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"robustness": 0.7}])
def test_a_clip_labelled_minus_100_teaches_nothing(options):
    logits = torch.randn(5, 3, requires_grad=True)
    labels = torch.tensor([0, -100, 2, -100, 1])
    kept = labels != -100
    loss = classification_loss(logits, labels, tiny_config(), **options)
    torch.testing.assert_close(loss, classification_loss(logits[kept], labels[kept], tiny_config(), **options))
    if not options:
        torch.testing.assert_close(loss, F.cross_entropy(logits, labels))
    loss.backward()
    assert not logits.grad[~kept].any() and logits.grad[kept].any()


def test_digits_and_tags_of_minus_100_are_left_out_of_the_means():
    digits = tiny_config(num_digits=2)
    logits, labels = torch.randn(3, 20), torch.tensor([[1, 2], [3, -100], [-100, -100]])
    each = [F.cross_entropy(logits[i, 10 * j : 10 * j + 10], labels[i, j]) for i, j in ((0, 0), (0, 1), (1, 0))]
    expected = ((each[0] + each[1]) / 2 + each[2]) / 2
    torch.testing.assert_close(classification_loss(logits, labels, digits), expected)

    tags = tiny_config(problem_type="multi_label_classification")
    logits, labels = torch.randn(3, 3), torch.tensor([[1, 0, -100], [0, 1, 1], [-100, -100, -100]])
    losses = F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0).float(), reduction="none")
    expected = (losses[0, :2].mean() + losses[1].mean()) / 2
    for given in (labels, labels.float()):
        torch.testing.assert_close(classification_loss(logits, given, tags), expected)


@pytest.mark.parametrize("shape", [(4,), (4, 3)])
def test_where_nothing_is_labelled_the_loss_is_zero(shape):
    config = tiny_config(problem_type="multi_label_classification" if len(shape) == 2 else None)
    logits = torch.randn(4, 3, requires_grad=True)
    loss = classification_loss(logits, torch.full(shape, -100), config)
    loss.backward()
    assert loss == 0 and not logits.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_tags_set_a_problem_type_that_is_not_set(dtype):
    model = trained_looking_model(tiny_config())
    tags = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    with torch.no_grad():
        output = model(sounds(), labels=tags.to(dtype))
    expected = F.binary_cross_entropy_with_logits(output.logits, tags.float())
    torch.testing.assert_close(output.loss, expected)
    assert model.config.problem_type == "multi_label_classification"


def test_one_class_a_clip_sets_no_problem_type():
    model = trained_looking_model(tiny_config())
    labels = torch.tensor([0, 2, 1])
    mixed = torch.tensor([[0.3, 0.7, 0], [0, 0, 1], [0.333, 0.333, 0.333]])
    with torch.no_grad():
        for given, expected in ((labels, labels), (F.one_hot(labels).float(), labels), (mixed, mixed)):
            output = model(sounds(), labels=given)
            torch.testing.assert_close(output.loss, F.cross_entropy(output.logits, expected))
    assert model.config.problem_type is None


def test_tags_for_a_model_of_one_class_a_clip_are_refused():
    model = trained_looking_model(tiny_config(problem_type="single_label_classification"))
    with pytest.raises(ValueError, match=r"sum up to 2 in place of 1.*problem_type='multi_label_classification'"):
        model(sounds(), labels=torch.tensor([[1.0, 0, 1], [0, 1, 0], [0, 0, 1]]))
    with pytest.raises(ValueError, match=r"sum up to 1\.4"):
        model(sounds(), labels=torch.tensor([[0.9, 0, 0.5], [0, 1, 0], [0, 0, 1]]))


@pytest.mark.parametrize("make", [tiny_config, ensemble_config], ids=["network", "ensemble"])
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"problem_type": "regression"}, "problem_type='regression' is for numbers"),
        ({"id2label": {0: "dog"}, "num_labels": 1}, "num_labels=1 leaves nothing to choose from.*problem_type="),
        ({"num_labels": 1, "problem_type": "regression"}, "problem_type='regression' is for numbers"),
    ],
)
def test_what_no_classifier_answers_is_refused_in_the_config(make, changes, says):
    with pytest.raises(StrictDataclassError, match=says):
        make(**changes)


def test_what_was_set_later_is_refused_by_the_model():
    config = tiny_config()
    config.num_labels = 1
    with pytest.raises(ValueError, match="num_labels=1 leaves nothing"):
        AudioCNNForAudioClassification(config)


def test_one_tag_is_an_answer():
    config = tiny_config(num_labels=1, problem_type="multi_label_classification")
    output = AudioCNNForAudioClassification(config)(sounds(), labels=torch.tensor([[1.0], [0.0], [1.0]]))
    assert output.logits.shape == (3, 1) and output.loss.isfinite()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"input_values": torch.zeros(RATE)}, r"shape \(8000,\).*give \(batch, samples\)"),
        ({"input_values": torch.zeros(1, 1, RATE)}, r"shape \(1, 1, 8000\)"),
        ({"input_values": torch.zeros(1, RATE, dtype=torch.int16)}, r"type torch\.int16: give .* of floats"),
        (
            {"input_values": torch.zeros(1, RATE), "attention_mask": torch.ones(1, 99)},
            r"attention_mask has .*\(1, 99\)",
        ),
    ],
)
@pytest.mark.parametrize(
    ("network", "config"),
    [(AudioCNNForAudioClassification, tiny_config), (AudioEnsembleForAudioClassification, ensemble_config)],
    ids=["network", "ensemble"],
)
def test_what_is_no_batch_of_waveforms_is_refused(network, config, given, says):
    with pytest.raises(ValueError, match=says):
        network(config()).eval()(**given)


# --- other heads -----------------------------------------------------------------------------------------------------


@pytest.fixture
def rejecting(tmp_path):
    """A checkpoint that answers "none of these"."""
    names = ["dog", "cat", NONE_OF_THESE]
    return save_checkpoint(
        tmp_path / "rejecting", id2label=dict(enumerate(names)), rejection_margin=1.5, temperature=2.0
    )


def other_classes(n: int, last: str | None = None) -> dict:
    """Names for a new head."""
    names = [f"class {number}" for number in range(n - 1)] + [last or f"class {n - 1}"]
    return {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}


@pytest.mark.parametrize(
    ("changes", "margin", "temperature"),
    [
        ({}, 1.5, 2.0),
        ({"num_labels": 3}, 1.5, 2.0),
        (other_classes(3, NONE_OF_THESE), 1.5, 2.0),
        (other_classes(3), 0.0, 2.0),
        (other_classes(5), 0.0, 1.0),
        (other_classes(2), 0.0, 1.0),
        ({"num_labels": 5}, 0.0, 1.0),
        ({"num_labels": 5, **other_classes(5)}, 0.0, 1.0),
        ({"num_labels": 5, "rejection_margin": 0.0}, 0.0, 1.0),
        ({**other_classes(5, NONE_OF_THESE), "rejection_margin": 0.5, "temperature": 1.5}, 0.5, 1.5),
        (other_classes(5, NONE_OF_THESE), 0.0, 1.0),
    ],
)
def test_a_rejecting_checkpoint_takes_another_head(rejecting, changes, margin, temperature, tmp_path):
    model = AutoModelForAudioClassification.from_pretrained(rejecting, ignore_mismatched_sizes=True, **changes)
    config = model.config
    n_labels = changes.get("num_labels", len(changes.get("id2label", range(3))))
    assert model(sounds()).logits.shape == (3, n_labels) and config.num_labels == n_labels
    assert (config.rejection_margin, config.temperature) == (margin, temperature)
    if "id2label" in changes:
        assert (config.id2label, config.label2id) == (changes["id2label"], changes["label2id"])
    model.save_pretrained(tmp_path)  # as Trainer does after hours
    again = AutoModelForAudioClassification.from_pretrained(tmp_path)
    assert again.config.id2label == config.id2label
    torch.testing.assert_close(again(sounds()).logits, model(sounds()).logits)


def test_a_margin_without_its_label_is_still_refused(rejecting):
    with pytest.raises(StrictDataclassError, match=f"rejection_margin=0.5 needs '{NONE_OF_THESE}'"):
        AutoConfig.from_pretrained(rejecting, rejection_margin=0.5, **other_classes(5))
    with pytest.raises(StrictDataclassError, match=f"rejection_margin=0.5 needs '{NONE_OF_THESE}'"):
        tiny_config(rejection_margin=0.5)


def test_labels_changed_in_a_loaded_config_count_too(rejecting, tmp_path):
    config = AutoConfig.from_pretrained(rejecting)
    config.num_labels = 4
    model = AutoModelForAudioClassification.from_pretrained(rejecting, config=config, ignore_mismatched_sizes=True)
    assert model(sounds()).logits.shape == (3, 4) and model.config.rejection_margin == 0
    model.save_pretrained(tmp_path)


@pytest.mark.parametrize("kind", ["attention", "words"])
def test_a_model_of_digits_takes_a_head_of_classes(kind, tmp_path):
    folder = save_checkpoint(tmp_path / "digits", **KINDS[kind])
    model = AutoModelForAudioClassification.from_pretrained(folder, num_labels=5, ignore_mismatched_sizes=True)
    assert model.config.num_digits == 0 and len(model.config.id2label) == 5
    model(sounds(), labels=torch.tensor([4, 0, 1])).loss.backward()
    model.save_pretrained(tmp_path / "classes")
    AutoModelForAudioClassification.from_pretrained(tmp_path / "classes")
    config = AudioCNNConfig.from_pretrained(folder)
    config.num_labels = 5
    assert AudioCNNForAudioClassification(config).config.num_digits == 0


def test_a_new_head_is_new_in_the_long_term_spectrum_too(tmp_path):
    folder = save_checkpoint(tmp_path, long_term_spectrum=True)
    old = AudioCNNForAudioClassification.from_pretrained(folder)
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        AudioCNNForAudioClassification.from_pretrained(folder, num_labels=5)
    new = AudioCNNForAudioClassification.from_pretrained(folder, num_labels=5, ignore_mismatched_sizes=True)
    assert new.long_term_spectrum.classifier.weight.shape[0] == 5
    for name, value in new.state_dict().items():
        if "classifier" not in name:
            assert value.equal(old.state_dict()[name]), name


def test_an_ensemble_takes_no_other_head(tmp_path):
    AudioEnsembleForAudioClassification(ensemble_config()).save_pretrained(tmp_path)
    with pytest.raises(StrictDataclassError, match="num_labels=5, and a member knows 3 classes"):
        AutoModelForAudioClassification.from_pretrained(tmp_path, num_labels=5, ignore_mismatched_sizes=True)


# --- transformers' Trainer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "config"),
    [(AudioCNNForAudioClassification, tiny_config), (AudioEnsembleForAudioClassification, ensemble_config)],
    ids=["network", "ensemble"],
)
def test_the_trainer_of_transformers_judges_as_of_any_model(network, config, tmp_path):
    model = network(config())
    rows = [{"input_values": clip, "labels": number % 3} for number, clip in enumerate(sounds())]
    trainer = Trainer(
        model,
        TrainingArguments(str(tmp_path), use_cpu=True, report_to=[]),
        eval_dataset=rows,
        compute_metrics=lambda outcome: {"right": float((outcome.predictions.argmax(-1) == outcome.label_ids).mean())},
    )
    outcome = trainer.predict(rows)
    assert outcome.predictions.shape == (3, 3) and outcome.label_ids.tolist() == [0, 1, 2]
    assert {"eval_loss", "eval_right"} <= set(trainer.evaluate())
