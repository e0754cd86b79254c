"""The live set of sensors -> one embedding -> one answer. Pure: no clock is read, no thread, no I/O."""
