"""What has been computed once and may be asked for again: kept for a while, and never needed."""
