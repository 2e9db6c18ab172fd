"""What training, fine-tuning and retraining bring."""
