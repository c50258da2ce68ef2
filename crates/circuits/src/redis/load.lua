-- Reads a circuit.
-- Gives  the time, where the history ends, what stands there (absent | text | digest | type), its text
return {now, history_end(), kind, text}
