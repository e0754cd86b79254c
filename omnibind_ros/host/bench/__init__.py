"""What encoders cost on this machine, by backend and precision, beside what the machine could do at best."""
