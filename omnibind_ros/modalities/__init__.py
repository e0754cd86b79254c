"""One file a modality: message or recording -> sample -> model input, with windows and signal checks."""
