"""How long networks of few and of many clips are trained."""

from helpers.commands import load_recipe

from hf_audio.recipe_flags import parse_arguments


def test_fsd_hears_clips_the_more_often_the_fewer_there_are(tmp_path):
    recipe = load_recipe("fsd")

    def settled(n_clips, *flags):
        args = parse_arguments(recipe.FSDArguments, ["--output_dir", str(tmp_path / "out"), *flags])
        recipe.settle_epochs(args, n_clips)
        return args.num_train_epochs, args.eval_delay

    assert settled(808) == (240, 216)  # only the last tenth is validated
    assert settled(9473)[0] == 99
    assert settled(808, "--model", "x") == (100, 90)
    assert settled(808, "--num_train_epochs", "40", "--eval_delay", "7") == (40, 7)
    assert settled(808, "--validation_fraction", "0") == (240, 0)
