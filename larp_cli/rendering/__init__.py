"""Results as text: for people, for pipes and logs, for programs."""
