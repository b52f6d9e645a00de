"""Make the wandb page that compares runs: accuracy by model, learning curves, cost, classes, filters.

Without --save it prints the page as JSON and sends nothing. --save needs a key (`wandb login`).
"""

import argparse


def main() -> None:
    """Read the command line, build the workspace, print or save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entity", default="", help="user or team on wandb")
    parser.add_argument("--project", default="multistage", help="logger.project of the runs (multistage)")
    parser.add_argument("--experiment", help="only runs of this experiment, or of this name")
    parser.add_argument("--data", help="only runs on this data set")
    parser.add_argument("--save", action="store_true", help="store the workspace on wandb")
    options = parser.parse_args()
    if options.save and not options.entity:
        parser.error("--save needs --entity: the user or team that the workspace is for")
    try:
        from multistage.dashboards.workspace import comparison, serialised
    except ModuleNotFoundError as error:
        if error.name != "wandb_workspaces":
            raise
        parser.error("this needs wandb-workspaces: pip install 'multistage[wandb]'")
    workspace = comparison(options.entity, options.project, options.experiment, options.data)
    print(workspace.save().url if options.save else serialised(workspace))


if __name__ == "__main__":
    main()
