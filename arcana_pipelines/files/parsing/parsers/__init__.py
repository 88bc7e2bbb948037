"""One module a format. It is imported in the process that reads one file and in no other."""
