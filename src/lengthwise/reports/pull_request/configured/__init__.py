"""The report in any DVC repository, whose `.lengthwise.yaml` names its metrics and predictions."""
