-- Reads a circuit.
-- KEYS  1 the circuit, 2 its history
-- ARGV  1 ms to add to the time here (0, but in tests)   2 largest value that is told
-- Gives  the time, the state that the history ends in ('': none), what stands there (absent | text | digest | type),
--        its text
local function history_end()
  local told = redis.call('TYPE', KEYS[2]).ok
  if told == 'none' then
    return ''
  elseif told ~= 'stream' then
    return 'CLOSED'
  end
  local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  for i = 1, newest and #newest[2] or 0, 2 do
    if newest[2][i] == 'to' then
      return newest[2][i + 1]
    end
  end
  return 'CLOSED'
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1]
local kind, text = 'absent', ''
local type = redis.call('TYPE', KEYS[1]).ok
if type == 'string' then
  local size = redis.call('STRLEN', KEYS[1])
  if size > tonumber(ARGV[2]) then
    -- Of its length and its ends: the digest of the whole would hold up Redis, and all who wait for it.
    local ends = redis.call('GETRANGE', KEYS[1], 0, 1023) .. redis.call('GETRANGE', KEYS[1], -1024, -1)
    kind, text = 'digest', redis.sha1hex(size .. ':' .. ends)
  else
    kind, text = 'text', redis.call('GET', KEYS[1])
  end
elseif type ~= 'none' then
  kind, text = 'type', type
end
return {now, history_end(), kind, text}
