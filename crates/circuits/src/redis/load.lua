-- Reads a circuit.
-- KEYS  1 the circuit, 2 its history
-- ARGV  1 ms to add to the time here (0, but in tests)   2 largest value that is told
-- Gives  the time, whether there is a history, what stands there (absent | text | digest | type), its text
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1]
local kind, text = 'absent', ''
local type = redis.call('TYPE', KEYS[1]).ok
if type == 'string' then
  kind, text = 'text', redis.call('GET', KEYS[1])
  if #text > tonumber(ARGV[2]) then
    kind, text = 'digest', redis.sha1hex(text)
  end
elseif type ~= 'none' then
  kind, text = 'type', type
end
return {now, redis.call('EXISTS', KEYS[2]), kind, text}
