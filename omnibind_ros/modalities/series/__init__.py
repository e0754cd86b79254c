"""The modality `series`."""
