"""Training: recipe, schedule, loss, random crops, the loop and its checkpoints."""
