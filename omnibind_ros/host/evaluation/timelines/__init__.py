"""Recognition in time: simulated scenes that change, sensors at their real rates, sensors that fail.

shelf        recordings of a modality as embeddings, and when its sensor sends them
simulation   scenes and faults -> a timeline of embeddings
methods      fusion with its memory, and what it is compared with
benchmark    timelines x methods -> reaction times, errors, faults noticed, false alarms
"""
