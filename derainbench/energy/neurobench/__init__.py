"""An account in the metrics of NeuroBench, so that it can be handed in there."""
