"""What a job is and how it gets done."""
