"""Results as text: for people, for lines of plain text, for programs."""
