"""The modality `thermal`."""
