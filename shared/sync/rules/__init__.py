"""What is synced, from where, and who owns it: `rules.toml`, and the default file that ships."""
