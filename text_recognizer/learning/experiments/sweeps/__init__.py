"""Search of hyperparameters with Ray Tune and Optuna."""
