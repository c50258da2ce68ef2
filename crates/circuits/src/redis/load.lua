-- Reads a circuit.
-- Returns  the time, the end of the history, the kind of value (absent | text | digest | type), its text
return {now, history_tail(), kind, text}
