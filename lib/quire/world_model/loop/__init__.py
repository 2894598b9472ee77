"""The loop that senses, decides, acts and learns, with the kernel between plan and deed."""
