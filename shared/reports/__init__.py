"""A run's report for people: one HTML document made from report.json."""
