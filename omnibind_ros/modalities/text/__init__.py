"""The modality `text`."""
