"""The modality `touch`."""
