"""What the operating system does for larp: processes, signals, deadlines, files, locks."""
