"""What the generator is held against: other people's clients, generators and histograms."""
