"""Host side: stage 1 (students), stage 2 (adaptive fusion), evaluation of every modality and subset."""
