"""From a task and arguments to a finished run."""
