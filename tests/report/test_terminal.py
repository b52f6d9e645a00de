from multistage.report import terminal


def test_comparison_shows_what_differs_best_first(plan):
    records = [
        {
            "config": plan(f"seed={seed}").config,
            "metrics": {"test_accuracy": value, "test_mean_class_accuracy": value, "train_accuracy": 1.0},
            "run": f"seed-{seed}",
            "parameters": 10,
            "seconds": {"train": 1.0},
        }
        for seed, value in enumerate([0.5, 0.75])
    ]
    header, first, second = terminal.comparison(records).splitlines()
    assert header.split() == ["seed", "test", "per", "class", "training", "parameters", "seconds"]
    assert first.split()[:2] == ["1", "75.00%"]
    assert second.split()[:2] == ["0", "50.00%"]
