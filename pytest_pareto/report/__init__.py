"""Reports: judged sessions rendered as terminal text, Markdown, OpenMetrics and HTML."""
