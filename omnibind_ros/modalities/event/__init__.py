"""The modality `event`."""
