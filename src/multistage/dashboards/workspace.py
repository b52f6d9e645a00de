"""A wandb workspace that compares all runs of a project, or of one experiment."""

from typing import Any

import wandb_workspaces.reports.v2 as panels
import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

from multistage.dashboards.wandb_run import CONFUSION

ACCURACY = "final/test_mean_class_accuracy"
RUNS = 500
"""Number of runs that a panel shows; wandb's default is 10."""


def comparison(entity: str, project: str, experiment: str | None = None, data: str | None = None) -> ws.Workspace:
    """Build a workspace over the runs that `multistage.dashboards` logged, without sending anything.

    Args:
        entity: The user or team on wandb.
        project: ``logger.project`` of the runs.
        experiment: Only runs of this experiment (or `name`); None for all.
        data: Only runs on this data set; None for all.
    """
    asked = ((expr.Metric("Group"), experiment), (expr.Config("data"), data))
    wanted = [key == value for key, value in asked if value is not None]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=" ".join(["multistage", *(part for part in (experiment, data) if part)]),
        sections=[_section(name, content) for name, content in _sections().items()],
        settings=ws.WorkspaceSettings(max_runs=RUNS),
        runset_settings=ws.RunsetSettings(
            filters=expr.And(*wanted) if wanted else "",
            order=[expr.Ordering(expr.Summary(ACCURACY), ascending=False)],
            pinned_columns=[
                "run:displayName",
                *(f"config:{key}.value" for key in ("model", "data", "stages", "filters", "refine", "readout")),
                *(f"summary:{key}" for key in (ACCURACY, "paper", "paper_difference", "seconds")),
            ],
        ),
    )


def serialised(workspace: ws.Workspace) -> str:
    """Return the JSON that wandb stores for a workspace."""
    return workspace._to_model().spec.model_dump_json(by_alias=True, exclude_none=True, indent=1)


def _section(name: str, content: list[Any]) -> ws.Section:
    return ws.Section(
        name=name,
        panels=content,
        is_open=True,
        layout_settings=ws.SectionLayoutSettings(columns=min(len(content), 2), rows=(len(content) + 1) // 2),
    )


def _sections() -> dict[str, list[Any]]:
    return {
        "Accuracy": [
            _bars("Test accuracy by model, mean over classes", ACCURACY, "model"),
            _bars("Test accuracy by filters, mean over classes", ACCURACY, "filters"),
            _bars("Difference from the paper by model, points", "paper_difference", "model"),
            _bars("Training accuracy by model", "final/train_accuracy", "model"),
        ],
        "Learning curves": [
            _curves("Training loss", "train_loss"),
            _curves("Training accuracy", "train_accuracy"),
            _curves("Validation accuracy", "validation_accuracy"),
            _curves("Training loss of readouts on frozen features", "train_loss", "iteration"),
        ],
        "Cost": [
            _bars("Seconds by model", "seconds", "model"),
            _cost("Accuracy against seconds", "seconds"),
            _bars("Parameters by model", "parameters", "model"),
            _cost("Accuracy against parameters", "parameters"),
        ],
        "Classes": [
            panels.WeavePanelSummaryTable(table_name="classes/accuracy"),
            panels.CustomChart(
                query={"summaryTable": {"tableKey": "classes/confusion_table"}},
                chart_name="wandb/confusion_matrix/v1",
                chart_fields={column: column for column in CONFUSION},
                chart_strings={"title": "test images"},
            ),
        ],
        "Filters": [
            panels.MediaBrowser(title="Before and after training", media_keys=["filters/before", "filters/after"])
        ],
        "Runs compared": [panels.RunComparer(diff_only="split")],
    }


def _bars(title: str, metric: str, group: str) -> Any:
    """Make a bar panel: mean over the runs of a group with its standard error; wandb has no confidence intervals."""
    return panels.BarPlot(
        title=title,
        metrics=[metric],
        groupby=panels.Config(group),
        groupby_aggfunc="mean",
        groupby_rangefunc="stderr",
        max_runs_to_show=RUNS,
        max_bars_to_show=50,
    )


def _curves(title: str, metric: str, over: str = "epoch") -> Any:
    """Make a panel with one curve per model: the mean of its runs, with their standard deviation."""
    return panels.LinePlot(
        title=title,
        x=over,
        y=[metric],
        groupby=panels.Config("model"),
        groupby_aggfunc="mean",
        groupby_rangefunc="stddev",
        aggregate=True,
        max_runs_to_show=RUNS,
    )


def _cost(title: str, cost: str) -> Any:
    return panels.ScatterPlot(
        title=title,
        x=panels.SummaryMetric(cost),
        y=panels.SummaryMetric(ACCURACY),
        log_x=True,
        legend_template="${run:displayName}",
    )
