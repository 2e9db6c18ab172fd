"""What reading and training cost: time, memory, arithmetic."""
