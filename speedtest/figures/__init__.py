"""What people look at: readers of the lake, each in a process of its own. Nothing here writes to it."""
