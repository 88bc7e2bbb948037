"""What the database says of an installation, as figures for Prometheus and for people. It reads and changes nothing."""
