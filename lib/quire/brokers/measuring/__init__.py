"""What is measured and how: schedules of due times, histograms, latencies, processes."""
