"""How good encoders and fusion are: every modality, every subset of them, against other rules of fusion."""
