"""spikingjelly's energy estimators beside our account."""
