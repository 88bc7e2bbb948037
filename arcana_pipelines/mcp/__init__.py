"""What assistants ask over the Model Context Protocol: tools that search and read, and none that does anything else."""
