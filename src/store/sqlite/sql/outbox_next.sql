SELECT min(due) FROM waiting
