"""What people are told: what is wrong, found and kept, and sent to each receiver once, with its end."""
