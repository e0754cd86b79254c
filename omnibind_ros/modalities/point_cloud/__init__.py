"""The modality `point_cloud`."""
