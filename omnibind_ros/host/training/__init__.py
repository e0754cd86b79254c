"""Training: students (stage 1), evidence heads and fusion (stage 2), learned baselines."""
