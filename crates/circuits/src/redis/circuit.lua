-- The common beginning of the scripts: the server's time, the value under a circuit's key, and the end of its history.
-- KEYS  1 the circuit, 2 its history
-- ARGV  1 ms to add to the server's time (0, but in tests)   2 largest value that is returned
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1]
-- '' without a history, else the state and the epoch of its newest entry. An external entry, or a key of another type,
-- counts as closed.
local function history_tail()
  local type = redis.call('TYPE', KEYS[2]).ok
  if type == 'none' then
    return ''
  end
  local to, epoch = 'CLOSED', '0'
  local newest = type == 'stream' and redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  for i = 1, newest and #newest[2] or 0, 2 do
    local name, value = newest[2][i], newest[2][i + 1]
    if name == 'to' and (value == 'OPEN' or value == 'HALF_OPEN') then
      to = value
    elseif name == 'epoch' and #value < 20 and string.match(value, '^[1-9]%d*$') then
      epoch = value
    end
  end
  return to .. ' ' .. epoch
end
-- absent | text | digest | type, and its text
local function read_value()
  local type = redis.call('TYPE', KEYS[1]).ok
  if type == 'none' then
    return 'absent', ''
  elseif type ~= 'string' then
    return 'type', type
  end
  local size = redis.call('STRLEN', KEYS[1])
  if size <= tonumber(ARGV[2]) then
    return 'text', redis.call('GET', KEYS[1])
  end
  -- Of its length and its ends: a digest of the whole value would block Redis.
  local ends = redis.call('GETRANGE', KEYS[1], 0, 1023) .. redis.call('GETRANGE', KEYS[1], -1024, -1)
  return 'digest', redis.sha1hex(size .. ':' .. ends)
end
local kind, text = read_value()
