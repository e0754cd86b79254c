"""Host only: data, models, training, evaluation, export, benchmarks, reports. Only here is torch imported."""
